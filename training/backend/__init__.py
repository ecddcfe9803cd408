"""What a run stands on: the devices, the libraries, and the settings of their trainers."""
