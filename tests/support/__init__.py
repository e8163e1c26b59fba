"""What tests stand on: real parts, fakes at the network's edge. No tests here."""
