"""What every other package uses: errors, spans of time, values, the channel to a control plane."""
