"""What runs in the containers of the lab: started by path, never imported."""
