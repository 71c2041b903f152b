# Relays and LED.
