"""Networks, a pair of encoder and decoder in each file; a module's name is the network's name."""
