# What deploy/varnish/default.vcl does, in the language of Fastly's VCL services. README.md says what the service needs
# beside it: two edges, the old pages, a dictionary, health checks.
#
# Surrogate-Control, stale-if-error, surrogate keys and soft purges are Fastly's own. What is said twice, here and for
# Varnish, is held together by tests/cdn/test_shipped.py.
#
# Steps of a request, each at most once, so that it is restarted three times at the most, which is Fastly's limit:
#   edge     what is kept of the edges, else what they answer
#   again    that failed, and nothing stale stands in: the other edge
#   old      the edges know no redirect: the old page, if there is one
#   absent   there is none: the 404 of the edges
#
# Patterns stand in {"long strings"}: in short ones Fastly decodes escapes.

director edges random {
  .quorum = 1%;
  .retries = 2;
  { .backend = F_edge_1; .weight = 1; }
  { .backend = F_edge_2; .weight = 1; }
}

sub vcl_recv {
  # Purging by URL asks for the API's token too.
  set req.http.Fastly-Purge-Requires-Auth = "1";
#FASTLY recv
  if (req.method == "FASTLYPURGE") {
    return(lookup);
  }
  if (req.restarts == 0) {
    # What is ours on the way must not come from a reader.
    unset req.http.X-Step;
    unset req.http.X-Tags;
    unset req.http.X-Old-Failed;
    unset req.http.X-CDN-Secret;
    if (req.method != "GET" && req.method != "HEAD") {
      error 845;
    }
    if (req.url ~ {"(?i)^https?://[^/?#]"}) {
      set req.http.Host = regsub(req.url, {"(?i)^https?://([^/?#]+).*$"}, {"\1"});
      set req.url = regsub(regsub(req.url, {"(?i)^https?://[^/?#]+"}, ""), {"^(?!/)"}, "/");
    }
    call make_key;
    # Health is for Fastly itself, and the rest below /-/ is for nobody outside.
    if (req.http.X-Segment == "-") {
      error 844;
    }
    unset req.http.Cookie;
    unset req.http.Authorization;
    set req.http.X-Step = "edge";
  } else {
    # Without it, a request that was restarted would leave the cluster and the shield.
    set req.http.Fastly-Force-Shield = "1";
  }
  if (req.http.X-Step == "old") {
    set req.backend = F_old_docs;
  } else {
    set req.backend = edges;
  }
  return(lookup);
}

# The cache key. Two URLs have one key only where edges give both the same status and Location; what goes to an edge
# is always the URL as it was sent.
sub make_key {
  call make_site;
  call take_apart;
  set req.http.X-Key = "as-sent " req.http.X-Site " " req.url;
  # Near the limit of 8 KiB, with fewer slashes a path that is too long would be one that is not.
  if (req.url ~ {"^/"} && req.url !~ {"^.{8000}"}) {
    call make_short_key;
  }
}

# One site under three names. Of any other host, the edges may say that it is not theirs.
sub make_site {
  if (req.http.Host ~ {"(?i)^(?:(?:www\.)?pythonhosted\.org|packages\.python\.org)\.?(?::[0-9]{0,4})?$"}) {
    set req.http.X-Site = "pythonhosted.org";
    set req.http.X-Site-Host = regsub(std.tolower(req.http.Host), {"\.?(?::[0-9]*)?$"}, "");
  } else {
    set req.http.X-Site = std.tolower(req.http.Host);
    set req.http.X-Site-Host = req.http.X-Site;
  }
}

# The first segment, what follows it, and the query with its question mark.
sub take_apart {
  # A fragment is cut off before the query; a bare question mark is no query.
  set req.http.X-Query = regsub(regsub(regsub(req.url, {"#.*$"}, ""), {"^[^?]*"}, ""), {"^\?$"}, "");
  set req.http.X-Rest = regsuball(regsub(req.url, {"[?#].*$"}, ""), {"//+"}, "/");
  set req.http.X-Segment = regsub(req.http.X-Rest, {"^/([^/]*).*$"}, {"\1"});
  set req.http.X-Rest = regsub(req.http.X-Rest, {"^/[^/]*"}, "");
  # Escapes of what can stand in a name, or behind one in prose. A segment with any other is no name.
  if (req.http.X-Segment ~ {"%"} && req.http.X-Segment !~ {"^.{512}"} && req.http.X-Segment !~
      {"(?i)%(?!2[1279CDE]|3[0-9ABE]|4[1-9A-F]|5[0-9ADF]|6[1-9A-F]|7[0-9ADE])"}) {
    set req.http.X-Segment = urldecode(req.http.X-Segment);
  }
}

sub make_short_key {
  set req.http.X-Path = "/" req.http.X-Segment req.http.X-Rest;
  if (req.http.X-Path ~ {"^/(?:(?:robots\.txt|sitemap\.xml|favicon\.ico)?$|packages(?:/|$))"}) {
    # No names, in this very spelling. The sitemap and robots.txt name the host that was asked.
    set req.http.X-Key = "own " req.http.X-Site-Host " " req.http.X-Path req.http.X-Query;
  } elsif (req.http.X-Segment ~ {"^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?[.,;:!)\]}>'"]*+$"}) {
    # PEP 503; and /name is /name/.
    set req.http.X-Segment = regsub(req.http.X-Segment, {"[.,;:!)\]}>'"]+$"}, "");
    set req.http.X-Key = "name " req.http.X-Site " /"
      regsuball(std.tolower(req.http.X-Segment), {"[-_.]+"}, "-")
      regsub(req.http.X-Rest, {"^$"}, "/") req.http.X-Query;
  }
}

sub vcl_hash {
  if (req.http.X-Step == "old") {
    # The old pages were never found by another spelling.
    set req.hash += "old";
    set req.hash += req.url;
  } else {
    set req.hash += "edge";
    set req.hash += req.http.X-Key;
  }
  # Purging everything at once needs it.
  set req.hash += req.vcl.generation;
#FASTLY hash
  return(hash);
}

sub vcl_hit {
#FASTLY hit
  return(deliver);
}

sub vcl_miss {
#FASTLY miss
  call prepare_fetch;
  return(fetch);
}

sub vcl_pass {
#FASTLY pass
  call prepare_fetch;
  return(pass);
}

# What a shield gets is still a reader's request: it makes the key and takes the steps' names anew.
sub prepare_fetch {
  unset bereq.http.X-CDN-Secret;
  if (req.backend.is_origin) {
    call unset_request_headers;
    if (req.http.X-Step == "old") {
      set bereq.http.Host = table.lookup(docsredirect, "old_docs_host");
    } elsif (table.lookup(docsredirect, "cdn_secret")) {
      set bereq.http.X-CDN-Secret = table.lookup(docsredirect, "cdn_secret");
    }
  }
}

# No answer may depend on them, because it is kept for everybody.
sub unset_request_headers {
  unset bereq.http.X-Step;
  unset bereq.http.X-Tags;
  unset bereq.http.X-Old-Failed;
  unset bereq.http.X-Site;
  unset bereq.http.X-Site-Host;
  unset bereq.http.X-Segment;
  unset bereq.http.X-Rest;
  unset bereq.http.X-Path;
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
}

sub vcl_fetch {
#FASTLY fetch
  unset beresp.http.X-CDN-Secret;
  if (req.http.X-Step == "old") {
    if (beresp.status >= 500) {
      if (stale.exists) {
        return(deliver_stale);
      }
      error 503;
    }
    call keep_old_page;
    return(deliver);
  }
  # 403: the edge does not know our secret. That is a fault between it and us, and no answer for a reader.
  if (beresp.status >= 500 || beresp.status == 403) {
    if (stale.exists) {
      return(deliver_stale);
    }
    if (req.http.X-Step == "edge") {
      set req.http.X-Step = "again";
      restart;
    }
    error 503;
  }
  call keep_answer;
  if (!beresp.cacheable || beresp.ttl <= 0s) {
    # Not kept. For a second, requests for the same do not wait for each other.
    set beresp.ttl = 1s;
    return(pass);
  }
  return(deliver);
}

# Redirects, 404 and 410 for what Surrogate-Control says, the service's own pages for what Cache-Control says.
sub keep_answer {
  # Fastly has read the lifetimes already; what stays here is to whom they apply.
  set beresp.cacheable = false;
  # There is never a time in which the old answer is given once more.
  set beresp.stale_while_revalidate = 0s;
  if (!beresp.http.Set-Cookie && !beresp.http.Vary) {
    if (beresp.status == 301 || beresp.status == 302 || beresp.status == 307 || beresp.status == 308 ||
        beresp.status == 404 || beresp.status == 410) {
      if (beresp.http.Surrogate-Control ~ {"(?i)max-age="} &&
          beresp.http.Surrogate-Control !~ {"(?i)no-store|no-cache|private"}) {
        set beresp.cacheable = true;
        set beresp.http.X-Tags = beresp.http.Surrogate-Key;
      }
    } elsif (beresp.status == 200) {
      if (beresp.http.Cache-Control ~ {"(?i)max-age="} &&
          beresp.http.Cache-Control !~ {"(?i)no-store|no-cache|private"}) {
        set beresp.cacheable = true;
        set beresp.stale_if_error = 86400s;
        set beresp.http.Surrogate-Key = "docsredirect";
      }
    }
  }
}

# What the old pages' server says, for five minutes; a page or redirect stands in for a day when the server fails.
# All of it is found by the project's key, so a first redirect over a page is seen at once.
sub keep_old_page {
  set beresp.cacheable = true;
  set beresp.ttl = 300s;
  set beresp.stale_while_revalidate = 0s;
  set beresp.stale_if_error = 0s;
  set beresp.http.Surrogate-Key = req.http.X-Tags;
  if (beresp.status >= 200 && beresp.status < 400) {
    set beresp.stale_if_error = 86400s;
    set beresp.http.Cache-Control = "public, max-age=60";
  }
  call unset_old_headers;
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

sub vcl_deliver {
#FASTLY deliver
  # A shield hands everything on: what a reader gets is made where he is.
  if (fastly.ff.visits_this_service > 0) {
    return(deliver);
  }
  if (req.http.X-Step == "old") {
    # A Location without a scheme that begins with two slashes would be another host, taken from the request.
    if (resp.status < 200 || resp.status >= 400 || resp.http.Location ~ {"^[/\\][/\\]"}) {
      set req.http.X-Step = "absent";
      restart;
    }
  } elsif (req.http.X-Step != "absent" && resp.status == 404 && resp.http.X-Tags ~ {"^project/"} &&
      req.url !~ {"#"} && table.lookup(docsredirect, "old_docs_host")) {
    # A name that was looked up, in a path without dot segments and controls.
    set req.http.X-Tags = resp.http.X-Tags;
    set req.http.X-Step = "old";
    restart;
  }
  if (req.http.X-Old-Failed) {
    # There may be a page, so nobody may note that there is none.
    set resp.http.Cache-Control = "no-store";
  }
  # With the age gone, the date is that of a new answer: browsers would count from the old one.
  set resp.http.Date = now;
  if (fastly_info.state ~ {"^HIT"}) {
    set resp.http.X-Cache = "HIT";
    set resp.http.Cache-Status = {"docsredirect; hit; detail="age="} resp.http.Age {"""};
  } else {
    set resp.http.X-Cache = "MISS";
    set resp.http.Cache-Status = "docsredirect; fwd=miss";
  }
  call unset_response_headers;
  return(deliver);
}

sub unset_response_headers {
  unset resp.http.Age;
  unset resp.http.Cache-Tag;
  unset resp.http.CDN-Cache-Control;
  unset resp.http.Surrogate-Control;
  unset resp.http.Surrogate-Key;
  unset resp.http.Via;
  unset resp.http.X-Cache-Hits;
  unset resp.http.X-CDN-Secret;
  unset resp.http.X-Served-By;
  unset resp.http.X-Tags;
  unset resp.http.X-Timer;
  unset resp.http.X-Varnish;
}

sub vcl_error {
#FASTLY error
  if (obj.status >= 500 && obj.status < 600) {
    if (stale.exists) {
      return(deliver_stale);
    }
    if (req.http.X-Step == "edge") {
      set req.http.X-Step = "again";
      restart;
    }
    if (req.http.X-Step == "old") {
      set req.http.X-Step = "absent";
      set req.http.X-Old-Failed = "yes";
      restart;
    }
    set obj.status = 503;
    set obj.response = "Service Unavailable";
    set obj.http.Retry-After = "30";
    synthetic {"503 Service Unavailable
Where this leads is not known right now. Please try again shortly.
"};
  } elsif (obj.status == 845) {
    set obj.status = 405;
    set obj.response = "Method Not Allowed";
    set obj.http.Allow = "GET, HEAD";
    synthetic {"405 Method Not Allowed
"};
  } elsif (obj.status == 844) {
    set obj.status = 404;
    set obj.response = "Not Found";
    synthetic {"404 Not Found
"};
  }
  set obj.http.Content-Type = "text/plain; charset=utf-8";
  set obj.http.Cache-Control = "no-store";
  return(deliver);
}

sub vcl_log {
#FASTLY log
}
