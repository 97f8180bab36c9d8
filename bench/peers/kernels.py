"""Estimators on Gram matrices: python3 kernels.py CASE,THREADS,PREFIX

Reads float64 matrices from PREFIX.0, PREFIX.1, ... (rows, columns as int64, then the values row after row), prints its name, then answers each line of standard input with a line:
    seconds    the time that one run of the case took
    check      writes what the case computes to PREFIX.out, as float64, and answers how many numbers that are
Cases and their matrices are the functions below.
"""
import os
import sys
import time

case, threads, prefix = sys.argv[1].split(",", 2)
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[name] = threads
import warnings

import numpy as np
import scipy
import scipy.linalg
import scipy.spatial

warnings.filterwarnings("ignore")
name = f"NumPy {np.__version__}, SciPy {scipy.__version__}"
if case not in ("zz", "dpp"):
    import sklearn
    from sklearn import cluster, ensemble, gaussian_process, kernel_approximation, kernel_ridge, linear_model, mixture, naive_bayes, neighbors, svm
    from sklearn.decomposition import KernelPCA
    name = f"scikit-learn {sklearn.__version__}, SciPy {scipy.__version__}"
if case == "dpp":
    import dppy
    from dppy.finite_dpps import FiniteDPP
    name = f"DPPy, NumPy {np.__version__}"


def matrix(i):
    with open(f"{prefix}.{i}", "rb") as file:
        rows, columns = np.fromfile(file, np.int64, 2)
        return np.fromfile(file, np.float64, rows * columns).reshape(rows, columns)


m = [matrix(i) for i in range(8) if os.path.exists(f"{prefix}.{i}")]


def krr(x, y, t, p):
    """rows, targets, rows asked for, [[gamma, alpha, kernel, degree, constant]] -> predictions"""
    gamma, alpha, kernel, degree, constant = p[0]
    return kernel_ridge.KernelRidge(kernel=("rbf", "laplacian", "poly", "cosine")[int(kernel)], gamma=None if kernel == 3 else gamma, alpha=alpha, degree=int(degree), coef0=constant).fit(x, y).predict(t)


def svc(x, y, t, p):
    """rows, labels, rows asked for, [[gamma, C]] -> labels"""
    return svm.SVC(gamma=p[0, 0], C=p[0, 1]).fit(x, y[:, 0]).predict(t)


def forest(x, y, t, p):
    """rows, labels, rows asked for, [[trees]] -> labels"""
    return ensemble.RandomForestClassifier(int(p[0, 0]), n_jobs=int(threads), random_state=0).fit(x, y[:, 0]).predict(t)


def pca(x, p):
    """rows, [[gamma, components]] -> positions, of which signs are arbitrary, without them"""
    return np.abs(KernelPCA(int(p[0, 1]), kernel="rbf", gamma=p[0, 0]).fit_transform(x))


def nearest(x, y, t, p):
    """rows, labels, rows asked for, [[neighbours]] -> labels"""
    return neighbors.KNeighborsClassifier(int(p[0, 0]), algorithm="brute").fit(x, y[:, 0]).predict(t)


def logistic(x, y, t, p):
    """rows, labels, rows asked for, [[C]] -> probabilities"""
    return linear_model.LogisticRegression(C=p[0, 0], multi_class="multinomial", solver="newton-cg", tol=1e-10, max_iter=10000).fit(x, y[:, 0]).predict_proba(t)


def gp_model(p, optimise):
    kernel = gaussian_process.kernels.ConstantKernel(p[0, 0]) * gaussian_process.kernels.RBF(p[0, 1]) + gaussian_process.kernels.WhiteKernel(p[0, 2])
    return gaussian_process.GaussianProcessRegressor(kernel, alpha=0, optimizer="fmin_l_bfgs_b" if optimise else None)


def gp(x, y, t, p):
    """rows, targets, rows asked for, [[height squared, length, noise squared]] to begin with -> evidence, means and deviations"""
    model = gp_model(p, True).fit(x, y[:, 0])
    mean, deviation = model.predict(t, return_std=True)
    return np.concatenate([[model.log_marginal_likelihood_value_], mean, deviation])


def gp_given(x, y, t, p):
    """the same, with these"""
    model = gp_model(p, False).fit(x, y[:, 0])
    mean, deviation = model.predict(t, return_std=True)
    return np.concatenate([[model.log_marginal_likelihood()], mean, deviation])


def gaussians(x, r, p):
    """rows, responsibilities to begin with, [[ridge]] -> mean log likelihood after convergence"""
    mean = (r.T @ x) / r.sum(0)[:, None]
    precision = np.stack([np.linalg.inv(((r[:, k, None] * (x - mean[k])).T @ (x - mean[k])) / r[:, k].sum() + p[0, 0] * np.eye(x.shape[1])) for k in range(r.shape[1])])
    model = mixture.GaussianMixture(r.shape[1], reg_covar=p[0, 0], tol=1e-10, max_iter=10000, weights_init=r.mean(0), means_init=mean, precisions_init=precision).fit(x)
    return model.score(x)


def gp_classes(x, y, t, p):
    """rows, labels, rows asked for, [[gamma, variance]] -> of each class the probability by MacKay's approximation, after Laplace's"""
    kernel = gaussian_process.kernels.ConstantKernel(p[0, 1]) * gaussian_process.kernels.RBF(1 / np.sqrt(2 * p[0, 0]))
    result = []
    for label in np.unique(y):
        model = gaussian_process.GaussianProcessClassifier(kernel, optimizer=None, max_iter_predict=1000).fit(x, y[:, 0] == label).base_estimator_
        cross = model.kernel_(model.X_train_, t)
        white = scipy.linalg.solve_triangular(model.L_, model.W_sr_[:, None] * cross, lower=True)
        variance = np.maximum(model.kernel_.diag(t) - (white * white).sum(0), 0)
        result.append(1 / (1 + np.exp(-cross.T @ (model.y_train_ - model.pi_) / np.sqrt(1 + np.pi * variance / 8))))
    return np.stack(result, 1)


def bayes(x, y, t, p):
    """rows, labels, rows asked for, [[smoothing]] -> joint log likelihoods"""
    return naive_bayes.GaussianNB(var_smoothing=p[0, 0]).fit(x, y[:, 0])._joint_log_likelihood(t)


def centroid(x, y, t):
    """rows, labels, rows asked for -> labels"""
    return neighbors.NearestCentroid().fit(x, y[:, 0]).predict(t)


def in_order(labels):
    """groups numbered as they first occur"""
    first = {}
    return np.array([first.setdefault(label, len(first)) for label in labels])


def means(x, p):
    """rows, [[groups, starts]] -> the least sum of squared distances"""
    return cluster.KMeans(int(p[0, 0]), n_init=int(p[0, 1]), random_state=0, tol=0).fit(x).inertia_


def ward(x, p):
    """rows, [[groups]] -> groups"""
    return in_order(cluster.AgglomerativeClustering(int(p[0, 0]), linkage="ward").fit_predict(x))


def spectral(x, p):
    """rows, [[gamma, groups, starts]] -> groups: rows of the first eigenvectors of the normalised similarities, of length 1, by k-means"""
    k = np.exp(-p[0, 0] * scipy.spatial.distance.cdist(x, x, "sqeuclidean"))
    np.fill_diagonal(k, 0)
    root = np.sqrt(k.sum(1))
    vectors = np.linalg.eigh(k / root[:, None] / root)[1][:, -int(p[0, 1]):]
    return in_order(cluster.KMeans(int(p[0, 1]), n_init=int(p[0, 2]), random_state=0, tol=0).fit_predict(vectors / np.linalg.norm(vectors, axis=1, keepdims=True)))


def fourier(x, t, w, b):
    """rows, rows asked for, projections, offsets -> features"""
    sampler = kernel_approximation.RBFSampler(n_components=w.shape[0])
    sampler.random_weights_, sampler.random_offset_, sampler.n_features_in_ = w.T, b[:, 0], w.shape[1]
    return sampler.transform(t)


def nystrom(x, t, p):
    """rows, of which the first are landmarks, rows asked for, [[gamma, landmarks]] -> products of their features"""
    z = kernel_approximation.Nystroem(gamma=p[0, 0], n_components=int(p[0, 1])).fit(x[:int(p[0, 1])]).transform(t)
    return z @ z.T


def zz(x, y):
    """angles of two sets -> the fidelities of their states after the ZZ feature map, full entanglement, twice"""
    def states(x):
        n, q = x.shape
        bits = (np.arange(1 << q)[:, None] >> np.arange(q)) & 1
        phase = 2 * x @ bits.T.astype(float)
        for j in range(q):
            for k in range(j + 1, q):
                phase += np.outer(2 * (np.pi - x[:, j]) * (np.pi - x[:, k]), bits[:, j] ^ bits[:, k])
        turn = np.exp(1j * phase)
        state = np.zeros((n, 1 << q), complex)
        state[:, 0] = 1
        for _ in range(2):
            for k in range(q):
                state = state.reshape(n, -1, 2, 1 << k)
                state = np.concatenate([state[:, :, :1] + state[:, :, 1:], state[:, :, :1] - state[:, :, 1:]], 2)
            state = state.reshape(n, -1) * turn * 2 ** (-q / 2)
        return state
    overlap = states(x) @ states(y).conj().T
    return overlap.real ** 2 + overlap.imag ** 2


def dpp(v):
    """rows of a basis [N, k], columns orthonormal -> how often each tenth of the rows was drawn (a sample is k rows)"""
    sampler = FiniteDPP("correlation", True, K_eig_dec=(np.ones(v.shape[1]), v))
    sampler.sample_exact(mode="GS", random_state=np.random.RandomState())
    return np.bincount(np.array(sampler.list_of_samples[-1]) * 10 // v.shape[0], minlength=10)


run = globals()[case]
print(f"{name}, {threads} threads", flush=True)
for line in sys.stdin:
    start = time.perf_counter()
    result = run(*m)
    seconds = time.perf_counter() - start
    if line.strip() == "check":
        np.ascontiguousarray(result, np.float64).tofile(prefix + ".out")
        print(np.size(result), flush=True)
    else:
        print(repr(seconds), flush=True)
