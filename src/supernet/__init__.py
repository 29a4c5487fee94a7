"""Weight-sharing neural architecture search: train one supernet, then rank, search and deploy its subnets."""
