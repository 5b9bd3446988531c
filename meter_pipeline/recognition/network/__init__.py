"""The network and how it looks at a photo.

- Without torch: views (`preprocess`), where the meter is (`locating`), what computes (`engines`, `engine_choice`).
- With torch: `backbones` (two of them in `architectures`), the `device`, the network in torch (`torch_network`) and as
  a graph (`onnx_export`).

What is made of the network's outputs is one level up, in `recognition`; how the network is tuned is in `training`.
"""
