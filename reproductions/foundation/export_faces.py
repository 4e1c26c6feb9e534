"""Export the Olivetti faces to PNG files: `python export_faces.py olivettifaces.mat FOLDER`.

The file has an array `faces`, shape (4096, 400), each column a 64 x 64 image stored column by
column. The folder is then data like any other: `autobeta train dynamicvae --data FOLDER ...`.
"""

import sys
from pathlib import Path

from PIL import Image
from scipy.io import loadmat


def main() -> None:
    source, folder = Path(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    columns = loadmat(source)["faces"].astype("uint8").T
    for number, column in enumerate(columns):
        Image.fromarray(column.reshape(64, 64).T).save(folder / f"{number:03}.png")
    print(f"{len(columns)} images in {folder}")


if __name__ == "__main__":
    main()
