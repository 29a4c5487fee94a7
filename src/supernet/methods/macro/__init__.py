"""Methods that search the layers of a whole network one by one."""
