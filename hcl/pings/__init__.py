"""What comes in: pings are received, remembered, filed in logs, and pruned."""
