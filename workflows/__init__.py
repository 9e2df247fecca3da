"""What runs: one workflow module per flow, and `launch_plans`, which names them all."""
