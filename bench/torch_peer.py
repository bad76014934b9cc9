"""The step in PyTorch, eager or with the loss compiled."""
import math

import torch

from peer_devices import NoDevice, check_gpu, gpu_index

RATE = 0.01


class TorchPeer:
    def __init__(self, a, arithmetic, compiled=False):
        self.system = f"PyTorch {torch.__version__}"
        self.index = gpu_index(a.device)
        if self.index is None:
            self.device_name = "cpu"
        else:
            count = torch.cuda.device_count()
            if self.index >= count:
                raise NoDevice(f"{self.system} finds no GPU {self.index}: torch.cuda.device_count() is {count}")
            torch.cuda.set_device(self.index)
            self.device_name = torch.cuda.get_device_name(self.index)
        # 'high' lets products of float32 be taken in tf32; 'highest' forbids it.
        torch.set_float32_matmul_precision("high" if arithmetic == "tf32" else "highest")
        torch.set_num_threads(a.threads)
        torch.manual_seed(1)
        self._make(a, torch.device(a.device), torch.bfloat16 if arithmetic == "bfloat16" else torch.float32, compiled)

    def _make(self, a, device, dtype, compiled):
        self.weights = weights = torch.empty(a.classes, a.dim, device=device).uniform_(-0.05, 0.05).to(dtype)
        biases = torch.zeros(a.classes, device=device)
        self.inputs = inputs = torch.empty(a.batch, a.dim, device=device).uniform_(-1, 1).to(dtype).requires_grad_()
        labels = torch.randint(a.classes, (a.batch,), device=device)
        log_range = math.log(a.classes + 1.0)

        def log_expected(ids):
            return torch.log(torch.log1p(1 / (ids + 1.0)) * (a.sampled / log_range))

        def mean_loss(rows, row_biases, inputs, log_q, hits):
            of_true, of_sampled = rows[: a.batch], rows[a.batch :]
            adjusted = row_biases - log_q
            true_logits = (inputs * of_true).sum(dim=1, dtype=torch.float32) + adjusted[: a.batch]
            if dtype == torch.float32:
                logits = torch.addmm(adjusted[a.batch :], inputs, of_sampled.T)
            else:
                # A product of 16-bit matrices is one; what follows is float32.
                logits = torch.mm(inputs, of_sampled.T) + adjusted[a.batch :]
            logits = torch.where(hits, -1e37, logits)
            everything = torch.cat((true_logits.unsqueeze(1), logits), dim=1)
            return (torch.logsumexp(everything, dim=1) - true_logits).mean()

        if compiled:
            torch.compiler.reset()
            mean_loss = torch.compile(mean_loss)

        def gradients():
            uniform = torch.rand(a.sampled, dtype=torch.float64, device=device)
            sampled = torch.expm1(uniform * log_range).long().clamp_(max=a.classes - 1)
            ids = torch.cat((labels, sampled))
            rows = weights.index_select(0, ids).requires_grad_()
            row_biases = biases.index_select(0, ids).requires_grad_()
            inputs.grad = None
            hits = labels.unsqueeze(1) == sampled.unsqueeze(0)
            mean = mean_loss(rows, row_biases, inputs, log_expected(ids), hits)
            mean.backward()
            return mean, ids, rows.grad, row_biases.grad

        def training_step():
            mean, ids, of_rows, of_biases = gradients()
            weights.index_add_(0, ids, of_rows, alpha=-RATE)
            biases.index_add_(0, ids, of_biases, alpha=-RATE)
            return mean

        self.step = lambda: gradients()[0]
        self.training_step = training_step

    def wait(self, mean):
        mean.item()
        # The gradients come after the loss.
        if self.index is not None:
            torch.cuda.synchronize(self.index)

    def check_places(self, mean):
        check_gpu(self.system, self.index, [str(t.device) for t in (mean, self.weights, self.inputs.grad)])
