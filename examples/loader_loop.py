"""The parts in a loop of one's own: a FactorDataset in a DataLoader, no Batches and no fit."""

import torch
from torch.utils.data import DataLoader, Subset

from autobeta import score
from autobeta.data import load_data
from autobeta.models import VAE, Bernoulli
from autobeta.models.networks import conv64
from autobeta.objectives import Elbo
from autobeta.weighting import ControlledKL, SelfTuningPI, schedules


def main(data: str = "dsprites", steps: int = 1000, workers: int = 2) -> dict:
    dataset = load_data(data)
    train = Subset(dataset, dataset.splits["train"])
    loader = DataLoader(train, 64, shuffle=True, drop_last=True, num_workers=workers)
    shape = dataset.image_shape
    model = VAE(conv64.encoder(shape, 10), conv64.decoder(shape, 10), Bernoulli())
    objective = Elbo()
    weighting = ControlledKL(SelfTuningPI(), schedules.linear(0.0, 10.0, steps=steps))
    optimizer = torch.optim.Adam(model.parameters(), 5e-4)
    step = 0
    while step < steps:
        for x in loader:  # (64, channels, height, width) in [0, 1]
            loss = weighting(objective(x, model(x)), step)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
            if step == steps:
                break
    index = dataset.splits["train"][:: len(train) // 1000]
    with torch.no_grad():
        means = [model.encode(x).mean for x in DataLoader(Subset(dataset, index), 64)]
    return score(torch.cat(means), dataset.factor_values(index), metrics=["mig", "sap"])


if __name__ == "__main__":
    print(main())
