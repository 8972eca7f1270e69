"""Orders: taken in once, enriched, totalled and kept, whatever fails."""
