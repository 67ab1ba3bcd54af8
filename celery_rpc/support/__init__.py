"""What knows nothing of calls: deadlines, timers, forks, files, text."""
