"""The variational autoencoder: encoder, posterior, decoder, and the objective that trains them."""

from vaeviz.models.conv import ConvVAE
from vaeviz.models.dense import DenseVAE
from vaeviz.models.dropout import Dropout, seed_dropout
from vaeviz.models.foreign import ForeignVAE, adapt
from vaeviz.models.graph import Layer, ModelGraph, Scope, model_graph
from vaeviz.models.objective import Elbo, Posterior, bernoulli_reconstruction, elbo, gaussian_kl, reparameterize
from vaeviz.models.vae import VAE, VaeOutput

__all__ = [
    "VAE",
    "ConvVAE",
    "DenseVAE",
    "Dropout",
    "Elbo",
    "ForeignVAE",
    "Layer",
    "ModelGraph",
    "Posterior",
    "Scope",
    "VaeOutput",
    "adapt",
    "bernoulli_reconstruction",
    "elbo",
    "gaussian_kl",
    "model_graph",
    "reparameterize",
    "seed_dropout",
]
