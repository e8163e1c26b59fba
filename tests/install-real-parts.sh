#!/bin/sh
# Installs the real parts of real-parts.txt that are missing: programs as root, on a system with apt-get; what comes
# from npm into node_modules, which git ignores.
# Anywhere else, and where that fails, it says in one line what is missing. It never fails the run: the tests
# that need a missing part are skipped, and said to be, or fail where CI=true.
set -u

cd "$(dirname "$0")" || exit 0
# Debian keeps servers where an ordinary user's PATH does not look.
PATH="$PATH:/usr/sbin:/sbin"
policy=/usr/sbin/policy-rc.d

# Whether the part $1 of the package $2 is there. A package with its version is npm's; a .so is a module of Varnish.
present() {
    case $1:$2 in
        *@*) grep -q "\"version\": \"${2#*@}\"" "../node_modules/$1/package.json" 2>/dev/null ;;
        *.so:*) ls /usr/lib/*/varnish/vmods/"$1" >/dev/null 2>&1 ;;
        *) command -v "$1" >/dev/null 2>&1 ;;
    esac
}

# Prints the column $1 (1: part, 2: package) of what is missing and comes from $2 (apt or npm), on one line.
missing() {
    grep -v -e '^#' -e '^[[:space:]]*$' real-parts.txt | while IFS=: read -r part package; do
        case $package in *@*) source=npm ;; *) source=apt ;; esac
        [ "$source" != "$2" ] || present "$part" "$package" || echo "$part:$package"
    done | cut -d: -f"$1" | tr '\n' ' '
}

apt() {
    DEBIAN_FRONTEND=noninteractive timeout 600 apt-get -q -y -o DPkg::Lock::Timeout=120 "$@" </dev/null
}

# Services of these packages must neither start now nor at the next boot: the tests start their own.
install_packages() {
    programs=$(missing 1 apt) packages=$1
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

# No scripts of packages are run, and nothing beside node_modules is written.
install_from_npm() {
    timeout 300 npm install --prefix .. --no-save --no-package-lock --no-audit --no-fund --ignore-scripts \
        $(missing 2 npm) </dev/null
}

# Runs a command; the end of what it says is shown where it fails.
quietly() {
    log=$(mktemp) && { "$@" >"$log" 2>&1 || tail -n 5 "$log" >&2; rm -f "$log"; }
}

packages=$(missing 2 apt)
[ -z "$(missing 2 npm)" ] || command -v npm >/dev/null 2>&1 || packages="$packages npm"
if [ -n "${packages# }" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing real parts for the tests: $packages"
    quietly install_packages "$packages"
fi
if [ -n "$(missing 2 npm)" ] && command -v npm >/dev/null 2>&1; then
    echo "Installing real parts for the tests: $(missing 2 npm)"
    quietly install_from_npm
fi
if [ -n "$(missing 1 apt)" ]; then
    echo "Real parts missing: $(missing 1 apt)- install them with: apt-get install --no-install-recommends $(missing 2 apt)"
fi
if [ -n "$(missing 1 npm)" ]; then
    echo "Real parts missing: $(missing 1 npm)- install them with: npm install --no-save --no-package-lock $(missing 2 npm)"
fi
exit 0
