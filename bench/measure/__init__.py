"""Leads worker processes through a plan. Nothing here imports a backend or computes with what was measured."""
