"""Several runs beside each other on one page, a part in each file."""
