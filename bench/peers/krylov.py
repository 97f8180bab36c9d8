"""A sequence of sparse systems in SciPy's or PETSc's restarted GMRES: python3 krylov.py EXCHANGE.json scipy|petsc

Prints its name, then answers each line of standard input with a line:
    residuals  the true relative residual of every system
    seconds    the time that solving all of them took
"""
import glob
import json
import os
import sys
import time

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
import scipy
import scipy.sparse as sparse
import scipy.sparse.linalg as linalg

with open(sys.argv[1]) as file:
    task = json.load(file)
restart, tolerance, most = task["restart"], task["tolerance"], task["maximum_products"]
systems = [(sparse.csr_matrix((s["values"], s["indices"], s["starts"])), np.array(s["right_side"])) for s in task["systems"]]

if sys.argv[2] == "scipy":
    name = f"SciPy {scipy.__version__} gmres({restart})"
    # The tolerance's name changed in 1.12.
    relative = "rtol" if tuple(int(v) for v in scipy.__version__.split(".")[:2]) >= (1, 12) else "tol"

    def solve():
        return [linalg.gmres(a, b, restart=restart, maxiter=-(-most // restart), atol=0, **{relative: tolerance})[0] for a, b in systems]
else:
    # Debian keeps its PETSc apart from other packages.
    sys.path += glob.glob("/usr/lib/petscdir/petsc3*/*/lib/python3/dist-packages")
    import petsc4py
    petsc4py.init(["petsc"])
    from petsc4py import PETSc

    name = f"PETSc {'.'.join(map(str, PETSc.Sys.getVersion()))} gmres({restart})"
    prepared = []
    for a, b in systems:
        matrix = PETSc.Mat().createAIJ(size=a.shape, csr=(a.indptr, a.indices, a.data), comm=PETSc.COMM_SELF)
        ksp = PETSc.KSP().create(PETSc.COMM_SELF)
        ksp.setOperators(matrix)
        ksp.setType("gmres")
        ksp.setGMRESRestart(restart)
        ksp.getPC().setType("none")
        ksp.setTolerances(rtol=tolerance, atol=0, max_it=most)
        prepared.append((ksp, PETSc.Vec().createWithArray(b, comm=PETSc.COMM_SELF), PETSc.Vec().createWithArray(np.zeros(len(b)), comm=PETSc.COMM_SELF)))

    def solve():
        for ksp, b, x in prepared:
            x.set(0)
            ksp.solve(b, x)
        return [x.getArray().copy() for _, _, x in prepared]


print(name, flush=True)
for line in sys.stdin:
    if line.strip() == "residuals":
        print(*(repr(float(np.linalg.norm(b - a @ x) / np.linalg.norm(b))) for (a, b), x in zip(systems, solve())), flush=True)
    else:
        start = time.perf_counter()
        solve()
        print(time.perf_counter() - start, flush=True)
