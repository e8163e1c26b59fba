#!/bin/sh
# Installs the real programs of real-parts.txt that are missing: as root, on a system with apt-get.
# Anywhere else, and where that fails, it says in one line what is missing. It never fails the run: the tests
# that need a missing program are skipped, and said to be, or fail where CI=true.
set -u

cd "$(dirname "$0")" || exit 0
# Debian keeps servers where an ordinary user's PATH does not look.
PATH="$PATH:/usr/sbin:/sbin"
policy=/usr/sbin/policy-rc.d

# Prints the column $1 (1: program, 2: package) of what is missing, on one line.
missing() {
    grep -v -e '^#' -e '^[[:space:]]*$' real-parts.txt | while IFS=: read -r program package; do
        command -v "$program" >/dev/null 2>&1 || echo "$program:$package"
    done | cut -d: -f"$1" | tr '\n' ' '
}

apt() {
    DEBIAN_FRONTEND=noninteractive timeout 600 apt-get -q -y -o DPkg::Lock::Timeout=120 "$@" </dev/null
}

# Services of these packages must neither start now nor at the next boot: the tests start their own.
install_packages() {
    programs=$(missing 1) packages=$(missing 2)
    if [ ! -e "$policy" ]; then
        trap 'rm -f "$policy"' EXIT
        trap 'exit 1' HUP INT TERM
        printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy" || return 1
    fi
    # An index that cannot be renewed may still do: the install decides.
    apt update || true
    # Unquoted on purpose: one word a package.
    apt install --no-install-recommends $packages || return 1
    if command -v systemctl >/dev/null 2>&1; then
        # A unit may be named after its program and lie in another package, or be one of several in a package.
        for unit in $programs $(dpkg -L $packages | sed -n 's,.*/systemd/system/\([^/]*\.[a-z]*\)$,\1,p'); do
            systemctl disable "$unit" >/dev/null 2>&1 || true
        done
    fi
}

[ -n "$(missing 1)" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing real parts for the tests: $(missing 2)"
    log=$(mktemp) && { install_packages >"$log" 2>&1 || tail -n 5 "$log" >&2; rm -f "$log"; }
fi
if [ -n "$(missing 1)" ]; then
    echo "Real parts missing: $(missing 1)- install them with: apt-get install --no-install-recommends $(missing 2)"
fi
exit 0
