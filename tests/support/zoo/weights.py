"""Norms, and computed weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune

from support.zoo.base import Base, images_net, member


@member
def batch_norms_on_images() -> nn.Module:
    return images_net(
        nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout(0.5), nn.BatchNorm2d(6, affine=False)
    )


@member
def batch_norm_without_statistics_on_images() -> nn.Module:
    return images_net(nn.BatchNorm2d(6, track_running_stats=False), nn.ReLU()).eval()


@member
def batch_norm_with_own_forward_on_images() -> nn.Module:
    class Norm(nn.BatchNorm2d):
        def forward(self, x: Tensor) -> Tensor:
            self.running_mean.add_(1)
            return torch.relu(super().forward(x))

    return images_net(Norm(6))


@member
def instance_norm_on_images() -> nn.Module:
    return images_net(nn.InstanceNorm2d(6, affine=True, track_running_stats=True), nn.ReLU())


@member
def group_norm_on_images() -> nn.Module:
    return images_net(nn.GroupNorm(2, 6), nn.ReLU())


@member
def batch_norm_in_a_list() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.norms = [nn.BatchNorm1d(24)]
            self.by_name = {"a": (nn.BatchNorm1d(24),)}

        def between(self, x: Tensor) -> Tensor:
            return self.by_name["a"][0](self.norms[0](x))

    return Net()


@member
def old_weight_norm() -> nn.Module:
    return nn.Sequential(nn.utils.weight_norm(nn.Linear(8, 24)), nn.ReLU())


@member
def old_spectral_norm() -> nn.Module:
    return nn.Sequential(nn.utils.spectral_norm(nn.Linear(8, 24)), nn.ReLU())


@member
def pruned() -> nn.Module:
    model = Base()
    prune.random_unstructured(model.first, "weight", amount=0.3)
    prune.l1_unstructured(model.second, "bias", amount=0.3)
    return model


@member
def weight_norm() -> nn.Module:
    return nn.Sequential(parametrizations.weight_norm(nn.Linear(8, 24)), nn.ReLU())


@member
def spectral_norm() -> nn.Module:
    return nn.Sequential(parametrizations.spectral_norm(nn.Linear(8, 24)), nn.ReLU())


@member
def orthogonal() -> nn.Module:
    return nn.Sequential(
        parametrizations.orthogonal(nn.Linear(8, 8)), nn.ReLU(), nn.Linear(8, 24), nn.ReLU()
    )


class Symmetric(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.triu() + x.triu(1).T


@member
def own_parametrization() -> nn.Module:
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 24), nn.ReLU())
    parametrize.register_parametrization(model[0], "weight", Symmetric())
    return model
