"""The admin side: where maintainers set targets. HTTP only; every rule it keeps is a service's or the domain's."""
