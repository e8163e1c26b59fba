# Where the edges and the old pages are. This is the only file to edit; what is done with them is in default.vcl.
# A name must have one IPv4 address, and is looked up once, when Varnish loads this file.

# An edge that is not ready is passed over after two of three looks, and asked again once it is ready.
probe ready {
    .url = "/-/health/ready";
    .interval = 1s;
    .timeout = 1s;
    .window = 3;
    .threshold = 2;
    .initial = 3;
}

backend edge_1 {
    .host = "edge-1";
    .port = "8080";
    .probe = ready;
}

backend edge_2 {
    .host = "edge-2";
    .port = "8080";
    .probe = ready;
}

sub vcl_init {
    new edges = directors.round_robin();
    edges.add_backend(edge_1);
    edges.add_backend(edge_2);
}

# The pages of projects that have no redirect. There are none to show:
backend old_docs none;

# There are. `.host_header` is what the server of the old pages answers to:
#
# backend old_docs {
#     .host = "old-docs.internal";
#     .port = "80";
#     .host_header = "old-docs.internal";
# }
