"""How `runs-0.1.0.tar.xz` was made, with version 0.1.0 (commit a0f68af): of two methods a run that
stopped at step 8 and one that finished.


Most units of the network are zero from the start and stay so (a ReLU at 0 passes no gradient), so
that the folders compress to a few kilobytes.
"""
import shutil, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from torch import nn
from autobeta import api, runs
from autobeta.assemble import RunConfig, ModelConfig, build_state, load_dataset
from autobeta.claim import claim
from autobeta.data import DataOptions
from autobeta.training import TrainConfig
from autobeta.training.loop import fit
from autobeta.training.seeding import seed_everything
from autobeta.training.checkpoint import write_tensors
from autobeta.evaluation import EvaluationConfig
KEPT = 3

def thin(model):
    for part in (model.encoder.network, model.decoder):
        layers = [m for m in part.modules() if isinstance(m, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d))]
        for layer in layers[:-1]:
            with torch.no_grad():
                if isinstance(layer, nn.ConvTranspose2d):
                    layer.weight[:, KEPT:] = 0
                elif isinstance(layer, nn.Linear) and layer.out_features == 512:  # 32 maps of 4 x 4
                    layer.weight[KEPT * 16:] = 0
                else:
                    layer.weight[KEPT:] = 0
                if layer.bias is not None:
                    k = KEPT*16 if isinstance(layer, nn.Linear) and layer.out_features == 512 else KEPT
                    layer.bias[k:] = 0
        # inputs of dead units
        for before, layer in zip(layers, layers[1:]):
            with torch.no_grad():
                if isinstance(layer, nn.ConvTranspose2d):
                    layer.weight[KEPT:] = 0
                elif isinstance(layer, nn.Conv2d):
                    layer.weight[:, KEPT:] = 0
                elif layer.in_features == 512:
                    layer.weight[:, KEPT*16:] = 0
                else:
                    layer.weight[:, KEPT:] = 0

class Stop(Exception): pass
def stop(row, speed):
    if row["step"] == 8: raise Stop
for method, kw in (("dynamicvae", dict(target=5.0)), ("lvae", dict(likelihood="gaussian"))):
    config = RunConfig(method=method, method_config=__import__('autobeta.registry').registry.load('methods', method).Config(**kw),
        data="toy", data_options=DataOptions(image_size=32), model=ModelConfig(architecture="burgess", num_latents=4),
        train=TrainConfig(steps=12, batch_size=8, log_every=2, checkpoint_every=6))
    folder = Path(sys.argv[1]) / method
    dataset = load_dataset(config)
    claim(folder, config, dataset, extend=False)
    seed_everything(0)
    state = build_state(config, dataset)
    thin(state.model)
    try: fit(state, config.train, folder=folder, report=stop)
    except Stop: pass
    unfinished = Path(sys.argv[1]) / f"{method}-unfinished"
    shutil.copytree(folder, unfinished)
    api.train(config, folder, evaluation=EvaluationConfig(num_points=100, metrics=("mig",), num_pictures=4))
    shutil.rmtree(folder/"checkpoint")
