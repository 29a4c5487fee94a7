"""Methods that train a network stage by stage, one file each."""
