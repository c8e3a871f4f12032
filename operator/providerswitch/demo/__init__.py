"""The product's main job, live on a laptop: `make demo`."""
