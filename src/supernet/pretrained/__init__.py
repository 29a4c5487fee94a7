"""From a model of any library to a supernet whose largest subnet it is."""
