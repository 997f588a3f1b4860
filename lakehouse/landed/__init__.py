"""What has landed: positions, continuity, audit, quarantine, replays."""
