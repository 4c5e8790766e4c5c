"""What all who look at pages share, in memory."""
