"""Sparse products: python3 spgemm.py LIBRARY,THREADS,PREFIX with LIBRARY scipy or graphblas

Reads PREFIX.a and PREFIX.b (rows, columns, entries, row starts as int64; columns as int32; values as float64), prints its name, then
answers each line of standard input with a line:
    seconds    the time that one product took
    check      entries of the product C, the sum of its values, and the sum of C_ij / ((1 + i)(1 + j))
SciPy leaves the columns of a row unsorted; GraphBLAS is asked for the finished, sorted matrix.
"""
import ctypes
import ctypes.util
import sys
import time

import numpy as np
import scipy
import scipy.sparse as sparse

library, threads, prefix = sys.argv[1].split(",", 2)


def read(path):
    with open(path, "rb") as file:
        rows, columns, entries = np.fromfile(file, np.int64, 3)
        starts = np.fromfile(file, np.int64, rows + 1)
        return rows, columns, starts, np.fromfile(file, np.int32, entries), np.fromfile(file, np.float64, entries)


class SciPy:
    name = f"SciPy {scipy.__version__}, 1 thread"

    def __init__(self):
        self.a, self.b = (sparse.csr_matrix((x, j, p.astype(np.int32)), shape=(m, n)) for m, n, p, j, x in map(read, (prefix + ".a", prefix + ".b")))

    def product(self):
        start = time.perf_counter()
        c = self.a @ self.b
        return time.perf_counter() - start, c

    def csr(self, c):
        return c

    def free(self, c):
        pass


class GraphBLAS:
    """Through its C interface, version 7 or later; sizes are 64 bits wide."""

    def __init__(self):
        self.lib = ctypes.CDLL(ctypes.util.find_library("graphblas") or "libgraphblas.so")
        version = (ctypes.c_int(), ctypes.c_int())
        self.call("GrB_init", ctypes.c_int(0))
        self.call("GrB_getVersion", ctypes.byref(version[0]), ctypes.byref(version[1]))
        self.lib.GxB_Global_Option_set_INT32(ctypes.c_int(5), ctypes.c_int(int(threads)))  # GxB_GLOBAL_NTHREADS
        self.lib.GxB_Global_Option_set_INT32(ctypes.c_int(1), ctypes.c_int(0))  # GxB_FORMAT, GxB_BY_ROW
        self.name = f"SuiteSparse:GraphBLAS (C API {version[0].value}.{version[1].value}), {threads} thread(s)"
        self.double = ctypes.c_void_p.in_dll(self.lib, "GrB_FP64")
        self.semiring = ctypes.c_void_p.in_dll(self.lib, "GrB_PLUS_TIMES_SEMIRING_FP64")
        (self.a, self.rows, _), (self.b, _, self.columns) = map(self.matrix, (prefix + ".a", prefix + ".b"))

    def call(self, name, *arguments):
        if info := getattr(self.lib, name)(*arguments):
            raise RuntimeError(f"{name} answered {info}")

    def matrix(self, path):
        m, n, starts, indices, values = read(path)
        handle, indices = ctypes.c_void_p(), indices.astype(np.uint64)
        arrays = [array.ctypes.data_as(ctypes.c_void_p) for array in (starts, indices, values)]
        sizes = [ctypes.c_uint64(len(array)) for array in (starts, indices, values)]
        self.call("GrB_Matrix_import_FP64", ctypes.byref(handle), self.double, ctypes.c_uint64(m), ctypes.c_uint64(n), *arrays, *sizes, ctypes.c_int(0))
        return handle, int(m), int(n)

    def product(self):
        c = ctypes.c_void_p()
        start = time.perf_counter()
        self.call("GrB_Matrix_new", ctypes.byref(c), self.double, ctypes.c_uint64(self.rows), ctypes.c_uint64(self.columns))
        self.call("GrB_mxm", c, None, None, self.semiring, self.a, self.b, None)
        self.call("GrB_Matrix_wait", c, ctypes.c_int(1))  # GrB_MATERIALIZE
        return time.perf_counter() - start, c

    def csr(self, c):
        sizes = [ctypes.c_uint64() for _ in range(3)]
        self.call("GrB_Matrix_exportSize", *(ctypes.byref(s) for s in sizes), ctypes.c_int(0), c)
        starts, indices, values = (np.empty(s.value, t) for s, t in zip(sizes, (np.uint64, np.uint64, np.float64)))
        self.call("GrB_Matrix_export_FP64", *(array.ctypes.data_as(ctypes.c_void_p) for array in (starts, indices, values)), *(ctypes.byref(s) for s in sizes), ctypes.c_int(0), c)
        entries = int(starts[self.rows])
        return sparse.csr_matrix((values[:entries], indices[:entries].astype(np.int64), starts.astype(np.int64)), shape=(self.rows, self.columns))

    def free(self, c):
        self.call("GrB_Matrix_free", ctypes.byref(c))


peer = GraphBLAS() if library == "graphblas" else SciPy()
print(peer.name, flush=True)
for line in sys.stdin:
    seconds, product = peer.product()
    if line.strip() == "check":
        c = peer.csr(product)
        print(c.nnz, repr(float(c.data.sum())), repr(float(1 / (1 + np.arange(c.shape[0])) @ (c @ (1 / (1 + np.arange(c.shape[1])))))), flush=True)
    else:
        print(repr(seconds), flush=True)
    peer.free(product)
