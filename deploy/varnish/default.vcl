# What a CDN in front of docsredirect does, for Varnish 7.1 with varnish-modules.
#
# Addresses are in backends.vcl, the only file to edit. Secrets are in the environment of varnishd:
# DOCSREDIRECT_CDN_SECRET (the first of several) and DOCSREDIRECT_PURGE_TOKEN. README.md says how to start it.
#
# A request goes through steps, each at most once, so it is restarted four times at the most:
#   edge     what is kept of the edges, else what they answer
#   refresh  what is kept is stale and an edge is well: the reader waits for the new answer
#   stale    that failed: what is kept stands in
#   old      the edges know no redirect: the old page, if there is one
#   absent   there is none: the 404 of the edges
vcl 4.1;

import blob;
import directors;
import std;
import var;
import xkey;

include "backends.vcl";

sub vcl_recv {
    if (req.restarts > 0) {
        call choose_backend;
        return (hash);
    }
    # What is ours on the way must not come from a reader.
    unset req.http.X-Step;
    unset req.http.X-Tags;
    unset req.http.X-Old-Failed;
    set req.http.X-Since = std.real(time=req.time);
    if (req.method == "PURGE") {
        call purge_by_key;
    }
    if (req.method != "GET" && req.method != "HEAD") {
        return (synth(405));
    }
    # Varnish would fill in the address of the backend, which edges answer for.
    if (!req.http.Host) {
        return (synth(400));
    }
    # Varnish takes only http:// apart.
    if (req.url ~ "(?i)^https?://[^/?#]") {
        set req.http.Host = regsub(req.url, "(?i)^https?://([^/?#]+).*$", "\1");
        set req.url = regsub(regsub(req.url, "(?i)^https?://[^/?#]+", ""), "^(?!/)", "/");
    }
    call make_key;
    # Health is for Varnish itself, and the rest below /-/ is for nobody outside.
    if (req.http.X-Segment == "-") {
        return (synth(404));
    }
    unset req.http.Cookie;
    unset req.http.Authorization;
    unset req.http.Expect;
    set req.http.X-Step = "edge";
    call choose_backend;
    return (hash);
}

sub choose_backend {
    if (req.http.X-Step == "old") {
        set req.backend_hint = old_docs;
    } else {
        set req.backend_hint = edges.backend();
    }
    if (req.http.X-Step == "refresh") {
        set req.grace = 0s;
    } else {
        set req.grace = 52w;
    }
}

# PURGE with X-Purge-Token, and Xkey-Softpurge or Xkey-Purge: keys, separated by blanks.
sub purge_by_key {
    # Where none is set, or an empty one, nobody has it.
    if (std.getenv("DOCSREDIRECT_PURGE_TOKEN") !~ "." ||
        req.http.X-Purge-Token != std.getenv("DOCSREDIRECT_PURGE_TOKEN")) {
        return (synth(403));
    }
    if (req.http.Xkey-Purge) {
        set req.http.X-Purged = xkey.purge(req.http.Xkey-Purge);
    } elsif (req.http.Xkey-Softpurge) {
        set req.http.X-Purged = xkey.softpurge(req.http.Xkey-Softpurge);
    } else {
        return (synth(400));
    }
    return (synth(200));
}

# The cache key. Two URLs have one key only where edges give both the same status and Location; what goes to an edge
# is always the URL as it was sent. This follows docsredirect/domain/resolve.py.
sub make_key {
    call make_site;
    call take_apart;
    set req.http.X-Key = "as-sent " + req.http.X-Site + " " + req.url;
    # Near the limit of 8 KiB, with fewer slashes a path that is too long would be one that is not.
    if (req.url ~ "^/" && req.url !~ "^.{8000}") {
        call make_short_key;
    }
}

# One site under three names. Of any other host, the edges may say that it is not theirs.
sub make_site {
    if (req.http.Host ~ "(?i)^(?:(?:www\.)?pythonhosted\.org|packages\.python\.org)\.?(?::[0-9]{0,4})?$") {
        set req.http.X-Site = "pythonhosted.org";
        set req.http.X-Site-Host = regsub(req.http.Host.lower(), "\.?(?::[0-9]*)?$", "");
    } else {
        set req.http.X-Site = req.http.Host.lower();
        set req.http.X-Site-Host = req.http.X-Site;
    }
}

# The first segment, what follows it, and the query with its question mark.
sub take_apart {
    # A fragment is cut off before the query; a bare question mark is no query.
    set req.http.X-Query = regsub(regsub(regsub(req.url, "#.*$", ""), "^[^?]*", ""), "^\?$", "");
    set req.http.X-Rest = regsuball(regsub(req.url, "[?#].*$", ""), "//+", "/");
    set req.http.X-Segment = regsub(req.http.X-Rest, "^/([^/]*).*$", "\1");
    set req.http.X-Rest = regsub(req.http.X-Rest, "^/[^/]*", "");
    # Escapes of what can stand in a name, or behind one in prose. A segment with any other is no name.
    if (req.http.X-Segment ~ "%" && req.http.X-Segment !~ "^.{512}" && req.http.X-Segment !~
        "(?i)%(?!2[1279CDE]|3[0-9ABE]|4[1-9A-F]|5[0-9ADF]|6[1-9A-F]|7[0-9ADE])") {
        set req.http.X-Segment = blob.transcode(decoding=URL, encoded=req.http.X-Segment);
    }
}

sub make_short_key {
    if ("/" + req.http.X-Segment + req.http.X-Rest ~
        "^/(?:(?:robots\.txt|sitemap\.xml|favicon\.ico)?$|packages(?:/|$))") {
        # No names, in this very spelling. The sitemap and robots.txt name the host that was asked.
        set req.http.X-Key = "own " + req.http.X-Site-Host + " /" + req.http.X-Segment + req.http.X-Rest
            + req.http.X-Query;
    } elsif (req.http.X-Segment ~
        {"^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?[.,;:!)\]}>'"]*+$"}) {
        # PEP 503; and /name is /name/.
        set req.http.X-Segment = regsub(req.http.X-Segment, {"[.,;:!)\]}>'"]+$"}, "");
        set req.http.X-Key = "name " + req.http.X-Site + " /"
            + regsuball(req.http.X-Segment.lower(), "[-_.]+", "-")
            + regsub(req.http.X-Rest, "^$", "/") + req.http.X-Query;
    }
}

sub vcl_hash {
    if (req.http.X-Step == "old") {
        # The old pages were never found by another spelling.
        hash_data("old");
        hash_data(req.url);
    } else {
        hash_data("edge");
        hash_data(req.http.X-Key);
    }
    return (lookup);
}

sub vcl_hit {
    # Stale, because it is old or was purged. While an edge is well no reader gets it.
    if (obj.ttl <= 0s && req.http.X-Step == "edge" && std.healthy(req.backend_hint)) {
        set req.http.X-Step = "refresh";
        return (restart);
    }
    return (deliver);
}

sub vcl_miss {
    # The fetch has just failed, and what was stale has meanwhile gone.
    if (req.http.X-Step == "stale") {
        return (synth(503));
    }
    return (fetch);
}

sub vcl_backend_fetch {
    if (bereq.http.X-Step) {
        var.set("step", bereq.http.X-Step);
        var.set("tags", bereq.http.X-Tags);
    }
    # Readers who waited for a fetch that failed would try it one after the other.
    if (var.get("step") == "refresh" && bereq.retries == 0 && !bereq.is_hitmiss &&
        std.real(var.global_get("failed"), 0.0) > std.real(bereq.http.X-Since, 0.0)) {
        return (abandon);
    }
    # The fetch that Varnish adds to a stale answer: one has failed a moment ago.
    if (bereq.is_bgfetch && var.get("step") ~ "^(?:stale|absent)$") {
        return (abandon);
    }
    unset bereq.body;
    call unset_request_headers;
    set bereq.connect_timeout = 1s;
    set bereq.first_byte_timeout = 2s;
    set bereq.between_bytes_timeout = 2s;
    if (var.get("step") == "old") {
        # The backend's own name goes there instead. Pages are kept as they are, so that a part of one can be sent.
        unset bereq.http.Host;
        set bereq.first_byte_timeout = 5s;
        set bereq.between_bytes_timeout = 5s;
    } elsif (std.getenv("DOCSREDIRECT_CDN_SECRET") ~ "[^\s,]") {
        set bereq.http.X-CDN-Secret = regsub(std.getenv("DOCSREDIRECT_CDN_SECRET"), "^[\s,]*([^\s,]+).*$", "\1");
    }
    return (fetch);
}

# No answer may depend on them, because it is kept for everybody.
sub unset_request_headers {
    unset bereq.http.X-CDN-Secret;
    unset bereq.http.X-Step;
    unset bereq.http.X-Tags;
    unset bereq.http.X-Since;
    unset bereq.http.X-Site;
    unset bereq.http.X-Site-Host;
    unset bereq.http.X-Segment;
    unset bereq.http.X-Rest;
    unset bereq.http.X-Query;
    unset bereq.http.X-Key;
    unset bereq.http.Accept;
    unset bereq.http.Accept-Charset;
    unset bereq.http.Accept-Encoding;
    unset bereq.http.Accept-Language;
    unset bereq.http.Cache-Control;
    unset bereq.http.Forwarded;
    unset bereq.http.Origin;
    unset bereq.http.Pragma;
    unset bereq.http.Referer;
    unset bereq.http.User-Agent;
    unset bereq.http.Via;
    unset bereq.http.X-Forwarded-For;
    unset bereq.http.X-Forwarded-Host;
    unset bereq.http.X-Forwarded-Port;
    unset bereq.http.X-Forwarded-Proto;
    unset bereq.http.X-Original-URL;
    unset bereq.http.X-Real-IP;
    unset bereq.http.X-Rewrite-URL;
    unset bereq.http.X-Varnish;
}

sub vcl_backend_response {
    # Only what is set here is kept, and found by a key.
    set beresp.ttl = 0s;
    set beresp.grace = 0s;
    set beresp.keep = 0s;
    unset beresp.http.xkey;
    unset beresp.http.X-CDN-Secret;
    if (var.get("step") == "old") {
        call keep_old_page;
    }
    # 403: the edge does not know our secret. That is a fault between it and us, and no answer for a reader.
    if (beresp.status >= 500 || beresp.status == 403) {
        return (error(503));
    }
    # An answer that breaks off is a failed fetch too, as long as nobody has got the beginning of it.
    set beresp.do_stream = false;
    call keep_answer;
    if (beresp.ttl <= 0s) {
        # Not kept. For a second, requests for the same do not wait for each other; one answer that may be kept
        # ends that at once.
        set beresp.uncacheable = true;
        set beresp.ttl = 1s;
    }
    return (deliver);
}

# Redirects, 404 and 410 for what Surrogate-Control says, the service's own pages for what Cache-Control says.
sub keep_answer {
    if (beresp.http.Set-Cookie || beresp.http.Vary) {
        return;
    }
    if (beresp.status == 301 || beresp.status == 302 || beresp.status == 307 || beresp.status == 308 ||
        beresp.status == 404 || beresp.status == 410) {
        set beresp.http.X-Keep = beresp.http.Surrogate-Control;
        set beresp.http.xkey = beresp.http.Surrogate-Key;
    } elsif (beresp.status == 200) {
        set beresp.http.X-Keep = beresp.http.Cache-Control + ", stale-if-error=86400";
        set beresp.http.xkey = "docsredirect";
    }
    if (beresp.http.X-Keep && beresp.http.X-Keep !~ "(?i)no-store|no-cache|private") {
        set beresp.ttl = std.duration(regsub(beresp.http.X-Keep, "(?i)^(?:.*[ ,])?max-age=(\d+).*$", "\1s"), 0s);
        set beresp.grace = std.duration(
            regsub(beresp.http.X-Keep, "(?i)^(?:.*[ ,])?stale-if-error=(\d+).*$", "\1s"), 0s);
    }
    unset beresp.http.X-Keep;
}

# What the old pages' server says, for five minutes; a page or redirect stands in for a day when the server fails.
# All of it is found by the project's key, so a first redirect over a page is seen at once.
sub keep_old_page {
    if (beresp.status >= 500) {
        return (error(503));
    }
    set beresp.ttl = 300s;
    set beresp.http.xkey = var.get("tags");
    if (beresp.status >= 200 && beresp.status < 400) {
        set beresp.grace = 1d;
        set beresp.http.Cache-Control = "public, max-age=60";
    }
    call unset_old_headers;
    return (deliver);
}

# What would outlive the page, or hold for the whole host.
sub unset_old_headers {
    unset beresp.http.Alt-Svc;
    unset beresp.http.Clear-Site-Data;
    unset beresp.http.Expires;
    unset beresp.http.NEL;
    unset beresp.http.Pragma;
    unset beresp.http.Public-Key-Pins;
    unset beresp.http.Report-To;
    unset beresp.http.Reporting-Endpoints;
    unset beresp.http.Service-Worker-Allowed;
    unset beresp.http.Set-Cookie;
    unset beresp.http.Strict-Transport-Security;
    unset beresp.http.Vary;
}

sub vcl_backend_error {
    set beresp.ttl = 0s;
    set beresp.grace = 0s;
    set beresp.keep = 0s;
    if (var.get("step") == "old") {
        if (bereq.is_bgfetch) {
            return (abandon);
        }
        # A mark, so that the next readers need not wait for a server that does not answer.
        set beresp.status = 503;
        set beresp.ttl = 10s;
        return (deliver);
    }
    # The other edge; not after a long wait where something else can be had.
    if (bereq.retries == 0 && (var.get("step") != "refresh" || now - bereq.time < 1s)) {
        return (retry);
    }
    # What is stale stays, and stands in.
    if (bereq.is_bgfetch || var.get("step") == "refresh") {
        var.global_set("failed", "" + std.real(time=now));
        return (abandon);
    }
    set beresp.status = 503;
    set beresp.uncacheable = true;
    set beresp.ttl = 1s;
    unset beresp.http.Server;
    set beresp.http.Content-Type = "text/plain; charset=utf-8";
    set beresp.http.Cache-Control = "no-store";
    set beresp.http.Retry-After = "30";
    set beresp.body = {"503 Service Unavailable
Where this leads is not known right now. Please try again shortly.
"};
    return (deliver);
}

sub vcl_deliver {
    if (req.http.X-Step == "old") {
        call use_old_page;
    } elsif (req.http.X-Step != "absent") {
        call look_behind;
    }
    if (req.http.X-Old-Failed) {
        # There may be a page, so nobody may note that there is none.
        set resp.http.Cache-Control = "no-store";
    }
    # With the age gone, the date is that of a new answer: browsers would count from the old one.
    set resp.http.Date = now;
    if (obj.hits > 0) {
        set resp.http.X-Cache = "HIT";
        set resp.http.Cache-Status = "docsredirect; hit; ttl=" + std.integer(duration=obj.ttl)
            + {"; detail="age="} + std.integer(duration=obj.age) + {"""};
    } else {
        set resp.http.X-Cache = "MISS";
        if (req.http.X-Step == "refresh") {
            set resp.http.Cache-Status = "docsredirect; fwd=stale";
        } elsif (req.is_hitmiss) {
            set resp.http.Cache-Status = "docsredirect; fwd=miss";
        } else {
            set resp.http.Cache-Status = "docsredirect; fwd=uri-miss";
        }
    }
    call unset_response_headers;
    return (deliver);
}

# What an answer of the edges is beside an answer: the sign to look for an old page, or to let go of what is kept.
sub look_behind {
    if (resp.status == 404 && resp.http.Surrogate-Key ~ "^project/" && old_docs && req.url !~ "#") {
        # A name that was looked up, in a path without dot segments and controls.
        set req.http.X-Tags = resp.http.Surrogate-Key;
        set req.http.X-Step = "old";
        return (restart);
    }
    if (resp.status == 410 && resp.http.Surrogate-Key ~ "^project/" && resp.http.Surrogate-Control ~ "no-store") {
        # Denied: nothing of the project may stand in when the edges fail.
        set req.http.X-Purged = xkey.purge(regsub(resp.http.Surrogate-Key, " .*$", ""));
    }
}

sub use_old_page {
    # A Location without a scheme that begins with two slashes would be another host, taken from the request.
    if (resp.status < 200 || resp.status >= 400 || resp.http.Location ~ "^[/\\][/\\]") {
        set req.http.X-Step = "absent";
        if (resp.status >= 500) {
            set req.http.X-Old-Failed = "yes";
        }
        return (restart);
    }
}

sub unset_response_headers {
    unset resp.http.Age;
    unset resp.http.Cache-Tag;
    unset resp.http.CDN-Cache-Control;
    unset resp.http.Surrogate-Control;
    unset resp.http.Surrogate-Key;
    unset resp.http.Via;
    unset resp.http.X-CDN-Secret;
    unset resp.http.X-Varnish;
    unset resp.http.xkey;
}

sub vcl_synth {
    if (resp.status == 503 && req.http.X-Step == "refresh") {
        set req.http.X-Step = "stale";
        return (restart);
    }
    if (resp.status == 503 && req.http.X-Step == "old") {
        set req.http.X-Step = "absent";
        set req.http.X-Old-Failed = "yes";
        return (restart);
    }
    unset resp.http.Server;
    set resp.http.Content-Type = "text/plain; charset=utf-8";
    set resp.http.Cache-Control = "no-store";
    set resp.http.X-Cache = "MISS";
    set resp.http.Cache-Status = "docsredirect; detail=generated";
    set resp.body = "" + resp.status + " " + resp.reason + {"
"};
    if (resp.status == 405) {
        set resp.http.Allow = "GET, HEAD";
    } elsif (resp.status == 503) {
        set resp.http.Retry-After = "30";
        set resp.body = {"503 Service Unavailable
Where this leads is not known right now. Please try again shortly.
"};
    }
    call unset_response_headers;
    return (deliver);
}
