"""The namespace laboratory: nodes, a switch, peers, a sniffer. Python 3.11 standard library only."""
