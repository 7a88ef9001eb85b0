"""The worker: sessions with a control plane, and the attempts and steps that run here."""
