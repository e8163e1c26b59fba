"""The CDN that is shipped, as a real program in front of real edges."""
