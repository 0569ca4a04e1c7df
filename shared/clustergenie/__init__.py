"""The library that every room of ClusterGenie imports: settings, identity, and one package per area of the domain."""
