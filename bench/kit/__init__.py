"""What every benchmark needs: medians and bars, a report, the service as real processes, the peers' own venv."""
