"""Mail servers of an account and the zone keys by which each is told apart."""
