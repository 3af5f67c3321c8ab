"""Trains an architecture that a search found on a folder of images, beside a random one of the same size.

The folder has a subfolder of images for each class. A fifth of each class is held out; the accuracies are those of the
last epoch on it, and nothing is chosen by them. Run it, and run it again to continue after Ctrl-C::

    python examples/train.py run.db --rank 1 --images photos/ --epochs 100 --checkpoint net.pt
    swapnas export run.db --rank 1 --weights net.pt --format onnx
"""

import argparse
import math
import os
import random
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

import swapnas_ext as swap
from swapnas_ext.validation import FEWEST_OF_A_CLASS, Split, logits_of, split, with_classes

BATCH = 64
LEARNING_RATE = 0.05
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4
LARGEST_GRADIENT = 5.0
SAME_SIZE = 0.1  # numbers of parameters that differ by less
TRIES = 10_000


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", help="run file of a search")
    parser.add_argument("--rank", type=int, default=1, help="which architecture; 1 is the best")
    parser.add_argument("--space", help="MODULE:NAME, for a run of your own space")
    parser.add_argument("--images", required=True, help="folder with a subfolder for each class")
    parser.add_argument("--size", type=int, help="pixels; default: what the networks take")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--checkpoint", type=Path, default=Path("net.pt"), help="the file to write")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, ...")
    parser.add_argument("--seed", type=int, default=0, help="of weights, order and augmentation")
    parser.add_argument("--no-flip", action="store_true", help="for digits, letters, ...")
    parser.add_argument("--no-random", action="store_true", help="trains no random architecture")
    return parser.parse_args()


def augmented(images: Tensor, *, flip: bool) -> Tensor:
    """Pads each image, cuts out a part of the original size, and mirrors half of the images."""
    count, _, height, width = images.shape
    margin = width // 8
    padded = F.pad(images, [margin] * 4)
    corners = torch.randint(2 * margin + 1, (count, 2)).tolist()
    cut = [
        image[:, y : y + height, x : x + width]
        for image, (y, x) in zip(padded, corners, strict=True)
    ]
    moved = torch.stack(cut)
    mirrored = (torch.rand(count) < 0.5).to(images.device).view(-1, 1, 1, 1)
    return torch.where(mirrored, moved.flip(3), moved) if flip else moved


def train_epoch(
    network: nn.Module, optimizer: torch.optim.Optimizer, data: Split, flip: bool
) -> float:
    """Returns the mean loss. Images that do not fill a mini-batch are left out of the epoch."""
    network.train()
    size = min(BATCH, len(data.train))
    batches = len(data.train) // size
    order = torch.randperm(len(data.train)).to(data.train.device)
    total = torch.zeros((), device=data.train.device)
    for rows in order[: batches * size].view(batches, size):
        images = augmented(data.normalized(data.train[rows]), flip=flip)
        loss = F.cross_entropy(logits_of(network(images)), data.train_labels[rows])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), LARGEST_GRADIENT)
        optimizer.step()
        total += loss.detach()
    return total.item() / batches


@torch.no_grad()
def held_out_accuracy(network: nn.Module, data: Split) -> float:
    network.eval()
    parts = zip(data.held_out.split(BATCH), data.held_out_labels.split(BATCH), strict=True)
    correct = sum(
        int((logits_of(network(data.normalized(images))).argmax(1) == labels).sum())
        for images, labels in parts
    )
    return 100 * correct / len(data.held_out)


def save(content: dict, path: Path) -> None:
    """Writes the whole file, or leaves it as it is."""
    part = path.with_name(path.name + ".part")
    torch.save(content, part)
    os.replace(part, path)


def train(
    space: swap.spaces.SearchSpace,
    architecture: str,
    data: Split,
    told: dict,
    args: argparse.Namespace,
    path: Path,
) -> float:
    """Trains a network, or goes on from its checkpoint, and returns its accuracy. ``told`` is recorded."""
    device = data.train.device
    torch.manual_seed(args.seed)
    network = space.build(architecture).to(device)
    network = with_classes(network, data.normalized(data.train[:2]), len(told["classes"]))
    optimizer = torch.optim.SGD(
        network.parameters(), LEARNING_RATE, MOMENTUM, weight_decay=WEIGHT_DECAY, nesterov=True
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.epochs)
    told = {**told, "architecture": architecture}
    epoch, loss = 0, math.nan
    if path.exists():
        before = torch.load(path, map_location="cpu", weights_only=True)
        changed = [name for name in told if before.get(name) != told[name]]
        if changed:
            sys.exit(
                f"{path} was trained with other {', '.join(changed)}: choose another --checkpoint"
            )
        network.load_state_dict(before["network"])
        optimizer.load_state_dict(before["optimizer"])
        schedule.load_state_dict(before["schedule"])
        epoch, loss = before["epoch"], before["loss"]
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("epochs, loss {task.fields[loss]:.3f}"),
    )
    console = Console(stderr=True)
    with Progress(TextColumn(path.name), *columns, TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task("", total=args.epochs, completed=epoch, loss=loss)
        while epoch < args.epochs:
            torch.manual_seed(args.seed + 1000 * (epoch + 1))  # a resumed training draws the same
            loss = train_epoch(network, optimizer, data, flip=not args.no_flip)
            if not math.isfinite(loss):
                sys.exit(
                    f"the loss became {loss} in epoch {epoch + 1}: try a smaller LEARNING_RATE"
                )
            schedule.step()
            epoch += 1
            content = {
                **told,
                "network": network.state_dict(),
                "optimizer": optimizer.state_dict(),
                "schedule": schedule.state_dict(),
                "epoch": epoch,
                "loss": loss,
            }
            if epoch == args.epochs:
                content["held_out_accuracy"] = held_out_accuracy(network, data)
            save(content, path)
            bar.update(task, completed=epoch, loss=loss)
    return held_out_accuracy(network, data)


def random_of_size(space: swap.spaces.SearchSpace, architecture: str, seed: int) -> str | None:
    """A random architecture with nearly as many parameters, and another network; None if none is found."""
    rng = random.Random(seed)
    size = space.size(architecture)
    form = space.canonical(architecture)
    for _ in range(TRIES):
        other = space.sample(rng)
        if abs(space.size(other) - size) < SAME_SIZE * size and space.canonical(other) != form:
            return other
    return None


def main() -> None:
    args = arguments()
    if args.epochs < 1:
        sys.exit(f"--epochs must be at least 1, got {args.epochs}")
    result = swap.search.load(args.run, args.space)
    ranked = result.ranked()
    if not 1 <= args.rank <= len(ranked):
        sys.exit(f"--rank {args.rank}: {args.run} has {len(ranked)} scored architectures")
    if result.space is None:
        sys.exit(f"{args.run} is of a space of your own: give --space MODULE:NAME")
    space, found = result.space.final(), ranked[args.rank - 1].architecture
    inputs = space.inputs(2)
    if inputs.dim() != 4:
        sys.exit(
            f"these networks take {list(inputs.shape)}, not images [N, channels, height, width]"
        )
    size = args.size or inputs.shape[2]
    images = swap.data.labelled_images(args.images, size, at_least=FEWEST_OF_A_CLASS)
    data = split(images, inputs.shape[1]).to(torch.device(args.device))
    told = {"classes": list(images.classes), "images": images.digest, "epochs": args.epochs}
    told |= {"mean": data.mean.flatten().tolist(), "std": data.std.flatten().tolist()}
    told |= {"space": swap.search.describe_space(space), "device": torch.device(args.device).type}
    told |= {"size": size, "seed": args.seed, "flip": not args.no_flip}
    print(
        f"{len(data.train):,} training and {len(data.held_out):,} held-out images of {len(images.classes)} classes"
    )

    names = {"found": (found, args.checkpoint)}
    if not args.no_random:
        other = random_of_size(space, found, args.seed)
        if other is None:
            print(
                f"none of {TRIES:,} random architectures has the same size within {SAME_SIZE:.0%}"
            )
        else:
            path = args.checkpoint
            names["random"] = (other, path.with_name(f"{path.stem}-random{path.suffix}"))
    for name, (architecture, path) in names.items():
        accuracy = train(space, architecture, data, told, args, path)
        print(
            f"{name}: {accuracy:.2f} % of held-out images, {space.size(architecture):,} parameters, {architecture}"
        )
    print(f"chance: {100 / len(images.classes):.2f} %; weights: {args.checkpoint}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("interrupted; the same command continues after the last whole epoch", file=sys.stderr)
        sys.exit(130)
    except (ValueError, OSError, RuntimeError, ImportError) as error:
        sys.exit(f"error: {error}")
