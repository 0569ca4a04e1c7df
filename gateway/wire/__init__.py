"""HTTP/1.1 for the data path, on llhttp: a server that dispatches synchronously and a client that keeps connections alive."""
