"""Who the clients of a federation are, what they do, and what the server makes of it."""
