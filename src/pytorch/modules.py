class BatchNorm(nn.Module):
    """BatchNorm1d and 2d by mean and variance of the whole batch, over however many processes it is split.

    On GPUs torch.nn.SyncBatchNorm does the same, faster; it has none for the CPU. `frozen`: by the running statistics in training too."""

    def __init__(self, channels, eps, momentum, frozen):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.eps, self.momentum, self.frozen = eps, momentum, frozen

    def forward(self, x):
        learns = self.training and not self.frozen
        if not learns or WORLD == 1:
            running = self.running_mean, self.running_var
            return F.batch_norm(x, *running, self.weight, self.bias, learns, self.momentum, self.eps)
        from torch.distributed.nn.functional import all_reduce

        axes, along = [0, *range(2, x.dim())], (-1, *[1] * (x.dim() - 2))
        rows = x[: SHARE["rows"]]
        count = torch.full((1,), float(rows.numel() // x.shape[1]), device=x.device)
        sums = all_reduce(torch.cat([rows.sum(axes), count]))
        mean, count = sums[:-1] / sums[-1], sums[-1].detach()
        variance = all_reduce((rows - mean.view(along)).square().sum(axes)) / count
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        normal = (x - mean.view(along)) / (variance + self.eps).sqrt().view(along)
        return normal * self.weight.view(along) + self.bias.view(along)


class RMSNorm(nn.Module):
    def __init__(self, size, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(size)), eps

    def forward(self, x):
        return x / (x.square().mean(-1, keepdim=True) + self.eps).sqrt() * self.weight


class Residual(nn.Module):
    def __init__(self, *body):
        super().__init__()
        self.body = nn.Sequential(*body)

    def forward(self, x):
        return x + self.body(x)


class Attention(nn.MultiheadAttention):
    """Of x by itself; a causal one sees the positions up to its own."""

    def __init__(self, size, heads, causal, dropout):
        super().__init__(size, heads, dropout=dropout, batch_first=True)
        self.causal = causal

    def forward(self, x):
        ones = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device)
        mask = ones.triu(1) if self.causal else None
        return super().forward(x, x, x, attn_mask=mask, need_weights=False)[0]


class GRU(nn.GRU):
    """All outputs, or the last one."""

    def __init__(self, features, units, sequences):
        super().__init__(features, units, batch_first=True)
        self.sequences = sequences

    def forward(self, x):
        outputs, _ = super().forward(x)
        return outputs if self.sequences else outputs[:, -1]


class LSTM(nn.LSTM):
    """All outputs, or the last one."""

    def __init__(self, features, units, sequences):
        super().__init__(features, units, batch_first=True)
        self.sequences = sequences

    def forward(self, x):
        outputs, _ = super().forward(x)
        return outputs if self.sequences else outputs[:, -1]


class PositionEmbedding(nn.Module):
    def __init__(self, length, size):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(length, size))

    def forward(self, x):
        return x + self.weight


class GlobalAveragePool(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


class Standardize(nn.Module):
    """By columns of the data that the network was made for. `rest` is what float32 leaves of the mean."""

    def __init__(self, columns):
        super().__init__()
        for name in ("mean", "rest", "deviation"):
            self.register_buffer(name, torch.zeros(columns))

    def forward(self, x):
        return (x - self.mean - self.rest) / self.deviation


class PaddedConv1d(nn.Conv1d):
    """Padded before and after by numbers of their own."""

    def __init__(self, *args, pad, **options):
        super().__init__(*args, **options)
        self.pad = pad

    def forward(self, x):
        return super().forward(F.pad(x, self.pad))


class PaddedConv2d(nn.Conv2d):
    """Padded before and after by numbers of their own, the last axis first."""

    def __init__(self, *args, pad, **options):
        super().__init__(*args, **options)
        self.pad = pad

    def forward(self, x):
        return super().forward(F.pad(x, self.pad))


class CutConvTranspose2d(nn.ConvTranspose2d):
    """Its output cut before and after by numbers of their own, the last axis first."""

    def __init__(self, *args, cut, **options):
        super().__init__(*args, **options)
        self.cut = [-width for width in cut]

    def forward(self, x):
        return F.pad(super().forward(x), self.cut)
