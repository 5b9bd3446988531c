"""The network and how it looks at a photo: backbones, views, where the meter is, and the device it runs on.

What is made of the network's outputs is one level up, in `recognition`; how the network is tuned is in `training`.
"""
