"""The training loop of all families: generator and discriminator in turns."""

import copy
import logging
import math
import signal
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Literal, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from voiceconv.data.batches import Batch
from voiceconv.errors import InputError, RunError
from voiceconv.objectives.base import PLAYERS, Generated, Losses, Objective
from voiceconv.training.best import Best
from voiceconv.training.checkpoint import State, load_checkpoint, save_checkpoint
from voiceconv.training.distributed import LostRankError, Ranks
from voiceconv.training.health import HealthMonitor
from voiceconv.training.replay import ReplayPool
from voiceconv.training.schedule import LinearDecay
from voiceconv.training.signals import StopSignals
from voiceconv.training.speed import (
    Switch,
    arrange,
    arrange_state,
    begin_step,
    compile_parts,
    require_possible,
    uncompiled,
)
from voiceconv.training.tracker import Tracker

Precision = Literal["float32", "bf16", "fp16"]
AUTOCAST = {"float32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
Ship = Literal["best", "last"]
ENDED = "nothing is left to train: %s is at step %d, trainer.%s ends it; give more (fit: --hours)"
N_PROBED = 4  # crops of each domain the monitor looks at: 1% of the time at every hundredth step
log = logging.getLogger(__name__)


class Batches(Protocol):
    """The source of batches; a batch depends only on its number."""

    def batch(self, step: int) -> Batch:
        """The batch of a step, for the objective; of a step's part, where gradients accumulate."""
        ...


class Validator(Protocol):
    """The trainer's interface to validation."""

    def measure(self, step: int, network: nn.Module, tracker: Tracker) -> float | None:
        """Show what the network does; its score, lower is better, or None without one."""
        ...

    def ship(self, step: int, network: nn.Module) -> None:
        """Write the model that ships."""
        ...


class Trainer:
    """Alternates the two players from step 0, or the checkpoint in `folder`, to schedule.n_steps.

    Args:
        optimizers: player -> parameters -> optimiser; each player has its own, at its own rate.
        gradient_clip: largest norm of a player's gradient; None leaves it.
        ema_decay: of an exponential moving average of the generator, which then is what ships.
        accumulate: batches of a step: both players' losses and gradients are means over them, as
            of one batch of so many times the size. What an objective draws by the step (targets,
            masks) is the same for all of them.
        precision: autocast type of forward passes; parameters stay float32.
        speed: see training/speed.py.
        warmup_steps: the discriminators learn alone for so many: new ones would destroy what a
            generator brings along from another run.
        log_every, checkpoint_every, validate_every: steps; 0 is never but at the end, where a run
            is logged and saved, and, without a validation, ships the newest network.
        validator: measures what would ship every `validate_every` steps and at the end.
        ship: "best" ships the network of the lowest score, "last" the newest, which is also
            what ships until there is a score.
        patience: training ends after so many validations in a row without a better score.

    The same arguments, data and thread count give the same parameters bit for bit on CPU,
    interrupted or not.
    """

    def __init__(
        self,
        objective: Objective,
        batches: Batches,
        optimizers: Mapping[str, Callable[[Iterator[nn.Parameter]], Optimizer]],
        schedule: LinearDecay,
        folder: Path,
        *,
        device: torch.device | str = "cpu",
        ranks: Ranks = Ranks(),  # noqa: B008 (frozen)
        gradient_clip: float | None = None,
        ema_decay: float | None = None,
        accumulate: int = 1,
        precision: Precision = "float32",
        speed: Collection[Switch] = (),
        replay_size: int = 0,
        warmup_steps: int = 0,
        log_every: int = 100,
        checkpoint_every: int = 1000,
        validate_every: int = 5000,
        validator: Validator | None = None,
        ship: Ship = "last",
        patience: int | None = None,
        seed: int = 0,
    ) -> None:
        if precision == "fp16" and torch.device(device).type != "cuda":
            raise InputError(f"trainer.precision=fp16 needs CUDA, not {device}; use bf16")
        self.device = torch.device(device)
        require_possible(speed, self.device)
        self.objective = objective.to(device)
        arrange(self.objective, speed)
        self.batches = batches
        self.schedule = schedule
        self.folder = folder
        self.ranks = ranks
        self.accumulate = accumulate
        self.gradient_clip = gradient_clip
        self.log_every, self.checkpoint_every = log_every, checkpoint_every
        self.validate_every = validate_every
        self.validator, self.ship, self.patience = validator, ship, patience
        self.best = Best()
        self._validated = 0
        self.step = 0
        ranks.broadcast(self.objective)
        self.optimizers = {
            player: optimizers[player](objective.player(player).parameters()) for player in PLAYERS
        }
        self._learning_rates = {
            player: [g["lr"] for g in o.param_groups] for player, o in self.optimizers.items()
        }
        self._ema_decay = ema_decay
        self._average = (
            copy.deepcopy(objective.generator).requires_grad_(False) if ema_decay else None
        )
        compile_parts(self.objective, speed)  # not the copy
        self._speed = speed
        self._autocast = AUTOCAST[precision]
        self._scaler = torch.amp.GradScaler(
            self.device.type, enabled=precision == "fp16" and self.device.type == "cuda"
        )
        self._replay = ReplayPool(replay_size, seed + ranks.rank)
        self._warmup_steps = warmup_steps
        self._signals = StopSignals()
        torch.manual_seed(seed + ranks.rank)

    @property
    def checkpoint_path(self) -> Path:
        """The file of the state."""
        return self.folder / "checkpoints" / "last.pt"

    @property
    def network(self) -> nn.Module:
        """The network that ships: the moving average, if there is one."""
        return self.objective.generator if self._average is None else self._average

    @property
    def finished(self) -> bool:
        """Whether the schedule is at its end, or patience is."""
        waited = self.patience is not None and self.best.n_since >= self.patience
        return waited or self.step >= self.schedule.n_steps

    def run(self) -> bool:
        """Train to the end, or until a signal of StopSignals. True when training is finished.

        Raises RunError when a loss is no longer finite, or another rank has gone; the checkpoint on
        disk is then the last good one.
        """
        try:
            return self._run()
        except LostRankError as error:
            # torchrun ends the others of a rank that has died: the sentence comes first.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            raise RunError(f"step {self.step}: {error}; {self._where_it_goes_on()}") from error

    def _run(self) -> bool:
        if self.checkpoint_path.exists():
            self.load_state_dict(load_checkpoint(self.checkpoint_path))
        silent, n_steps = not self.ranks.is_main, max(self.step, self.schedule.n_steps)
        if self.finished and not silent:
            at_end = self.step >= self.schedule.n_steps
            end = f"n_steps={self.schedule.n_steps}" if at_end else f"patience={self.patience}"
            log.warning(ENDED, self.folder, self.step, end)
        with self._signals, Tracker(self.folder, self.step, n_steps, silent) as tracker:
            monitor = None if silent else HealthMonitor(self.objective, self._probe())
            if self._validation_is_due():  # it was stopped before that
                self._validate(tracker)
            last_logged, since = self.step, time.monotonic()
            while not self.finished:
                losses = self.train_step()
                tracker.advance(self.step)
                at_end, stopping = self.step == self.schedule.n_steps, self._stopping()
                due = self._is_every(self.checkpoint_every) or at_end or stopping
                validating = self._validation_is_due() and (at_end or not stopping)
                if self._is_every(self.log_every) or due or validating:
                    values = {name: float(value) for name, value in losses.items()}
                    self._require_finite(values)
                    speed = (self.step - last_logged) / (time.monotonic() - since)
                    last_logged, since = self.step, time.monotonic()
                    if monitor and monitor.is_due(self.step):
                        values |= self._examine(monitor, values, tracker)
                    tracker.scalars(
                        self.step,
                        values | self._learning_rates_now() | {"speed/steps_per_second": speed},
                    )
                if due:  # before a validation, which may raise
                    self.save()
                if validating:
                    self._validate(tracker)
                    since = time.monotonic()
                if stopping:
                    return self.finished
        return True

    def train_step(self) -> Losses:
        """One update of each player.

        Losses by `player/name`, gradient norms by `gradient_norm/player`, detached.
        """
        begin_step(self._speed)
        self._set_learning_rates()
        numbers = range(self.step * self.accumulate, (self.step + 1) * self.accumulate)
        batches = [self.batches.batch(number).to(self.device) for number in numbers]
        generated: list[Generated] = []

        def generator_losses(part: int) -> Losses:
            with torch.set_grad_enabled(self.step >= self._warmup_steps):
                losses, fakes = self.objective.generator_losses(batches[part], self.step)
            generated.append({kind: [one.detach() for one in some] for kind, some in fakes.items()})
            return losses

        def discriminator_losses(part: int) -> Losses:
            shown = self._replay(generated[part], numbers[part])
            return self.objective.discriminator_losses(batches[part], shown)

        report = self._update("generator", generator_losses)
        report |= self._update("discriminator", discriminator_losses)
        self._scaler.update()
        self._update_average()
        self.step += 1
        return report

    def _set_learning_rates(self) -> None:
        factor = self.schedule.factor(self.step)
        for player, optimizer in self.optimizers.items():
            for group, rate in zip(
                optimizer.param_groups, self._learning_rates[player], strict=True
            ):
                group["lr"] = rate * factor

    def _train_only(self, moving: str) -> None:
        """Freeze the other player: its gradients are not wanted, and cost a third of the step."""
        for player in PLAYERS:
            self.objective.player(player).requires_grad_(player == moving)

    def _update(self, player: str, losses_of: Callable[[int], Losses]) -> Losses:
        """Step of one player's optimiser on the mean of the losses of a step's parts.

        None where all losses are constants yet.
        """
        network, optimizer = self.objective.player(player), self.optimizers[player]
        self._train_only(player)
        optimizer.zero_grad(set_to_none=True)
        report: Losses = {}
        learns = False
        for part in range(self.accumulate):
            with self._autocasting():
                losses = losses_of(part)
            total = self.objective.total(player, losses) / self.accumulate
            if total.requires_grad:
                self._scaler.scale(total).backward()
                learns = True
            for name, loss in losses.items():
                key, mean = f"{player}/{name}", loss.detach() / self.accumulate
                report[key] = report[key] + mean if key in report else mean
        if not learns:
            return {}
        self.ranks.average_gradients(network)  # first: ranks must agree on what has overflowed
        self._scaler.unscale_(optimizer)
        limit = float("inf") if self.gradient_clip is None else self.gradient_clip
        norm = nn.utils.clip_grad_norm_(network.parameters(), limit)
        self._scaler.step(optimizer)
        return report | {f"gradient_norm/{player}": norm.detach()}

    @torch.no_grad()
    def _update_average(self) -> None:
        if self._average is None or self._ema_decay is None:
            return
        # Young averages forget the random start.
        decay = min(self._ema_decay, (1 + self.step) / (10 + self.step))
        averages, current = self._average.state_dict(), self.objective.generator.state_dict()
        floating = [name for name, value in averages.items() if value.is_floating_point()]
        torch._foreach_lerp_(
            [averages[n] for n in floating], [current[n] for n in floating], 1 - decay
        )

    def _autocasting(self) -> torch.autocast:
        return torch.autocast(self.device.type, self._autocast, enabled=self._autocast is not None)

    def _learning_rates_now(self) -> dict[str, float]:
        return {
            f"learning_rate/{player}": o.param_groups[0]["lr"]
            for player, o in self.optimizers.items()
        }

    def _require_finite(self, values: Mapping[str, float]) -> None:
        bad = [
            name
            for name, value in values.items()
            if not math.isfinite(value)
            # an infinite gradient is how a fp16 scaler learns that its scale is too large
            and not (self._scaler.is_enabled() and name.startswith("gradient_norm/"))
        ]
        if self.ranks.any(bool(bad)):
            where = (
                f"the last good checkpoint is {self.checkpoint_path}"
                if self.checkpoint_path.exists()
                else "no checkpoint yet"
            )
            raise RunError(
                f"step {self.step}: {', '.join(bad) or 'a loss of another rank'} is not finite; "
                f"{where}; lower the learning rates, "
                "set trainer.gradient_clip, or use trainer.precision=float32"
            )

    def _where_it_goes_on(self) -> str:
        if not self.checkpoint_path.exists():
            return "there is no checkpoint yet: the same command begins again"
        step = load_checkpoint(self.checkpoint_path)["step"]
        return f"the same command goes on from step {step}"

    def _probe(self) -> Batch:
        end = self.schedule.n_steps * self.accumulate
        batches = [self.batches.batch(step) for step in range(end, end + N_PROBED)]
        return type(batches[0]).of_first_items(batches).to(self.device)

    def _examine(
        self, monitor: HealthMonitor, values: dict[str, float], tracker: Tracker
    ) -> dict[str, float]:
        with uncompiled(self._speed):
            figures, findings = monitor.examine(self.step, values)
        for finding in findings:
            tracker.warn(self.step, finding.message)
        return figures

    def _validation_is_due(self) -> bool:
        at_end = self.step >= self.schedule.n_steps  # beyond it in a run that was shortened
        return self._validated != self.step and (at_end or self._is_every(self.validate_every))

    def _is_every(self, n_steps: int) -> bool:
        return n_steps > 0 and self.step % n_steps == 0

    def _validate(self, tracker: Tracker) -> None:
        """Measure on the main rank; what ships is written there when it should be."""
        self._validated = self.step
        score = None
        if self.validator and self.validate_every and self.ranks.is_main:
            network = self.network
            network.eval()
            with torch.no_grad(), uncompiled(self._speed):
                score = self.validator.measure(self.step, network, tracker)
            network.train()
        # All ranks note the same score, for all must know when patience is at its end.
        mine = torch.tensor(math.nan if score is None else score, dtype=torch.float64)
        told = float(self.ranks.gather(mine)[0])
        is_best = not math.isnan(told) and self.best.note(self.step, told)
        if self.validator and self.ranks.is_main:
            newest = self.ship == "last" or not self.validate_every
            if is_best or newest or math.isinf(self.best.score):
                self.validator.ship(self.step, self.network)
        if self.finished:
            self.save()  # last: a finished run does nothing more

    def _stopping(self) -> bool:
        return self.ranks.any(self._signals.received)

    def save(self) -> None:
        """Write the checkpoint. Every rank takes part, the main one writes."""
        state = self.state_dict()
        if self.ranks.is_main:
            save_checkpoint(self.checkpoint_path, state)

    def state_dict(self) -> State:
        """Everything that the next step depends on."""
        pools = (
            [self._replay.state_dict()]
            if self.ranks.world_size == 1
            else self._pools_of_all_ranks()
        )
        return {
            "step": self.step,
            "objective": self.objective.state_dict(),
            "optimizers": {
                player: optimizer.state_dict() for player, optimizer in self.optimizers.items()
            },
            "scaler": self._scaler.state_dict(),
            "average": None if self._average is None else self._average.state_dict(),
            "replay": pools,
            "best": self.best.state_dict(),
            "validated": self._validated,
            "torch_rng": self.ranks.gather(torch.get_rng_state()),
            "cuda_rng": self.ranks.gather(torch.cuda.get_rng_state(self.device))
            if self.device.type == "cuda"
            else [],
        }

    def _pools_of_all_ranks(self) -> list[dict[str, Tensor]]:
        gathered = {
            name: self.ranks.gather(fakes) for name, fakes in self._replay.state_dict().items()
        }
        return [
            {name: by_rank[rank] for name, by_rank in gathered.items()}
            for rank in range(self.ranks.world_size)
        ]

    def load_state_dict(self, state: State) -> None:
        """The inverse of state_dict.

        Raises InputError where the checkpoint is of another configuration.
        """
        if not isinstance(state, dict) or not isinstance(state.get("torch_rng"), list):
            raise InputError(
                f"{self.checkpoint_path} is no checkpoint of a run of this version; delete it to "
                "start again"
            )
        if len(state["torch_rng"]) != self.ranks.world_size:
            raise InputError(
                f"{self.checkpoint_path} was written by {len(state['torch_rng'])} processes, now "
                f"there are {self.ranks.world_size}; start as many, or a new run directory"
            )
        try:
            self._load(state)
        except (RuntimeError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise InputError(
                f"{self.checkpoint_path} belongs to a differently configured network, or is "
                f"damaged ({' '.join(str(error).split())[-120:]}); choose another run directory"
            ) from error

    def _load(self, state: State) -> None:
        self.objective.load_state_dict(state["objective"])
        for player, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][player])
            arrange_state(optimizer)
        if self._average is not None:
            self._average.load_state_dict(state["average"] or self.objective.generator.state_dict())
        if state["scaler"]:  # none of a run in another precision
            self._scaler.load_state_dict(state["scaler"])
        pool = state["replay"][self.ranks.rank]
        self._replay.load_state_dict({name: fakes.to(self.device) for name, fakes in pool.items()})
        torch.set_rng_state(state["torch_rng"][self.ranks.rank])
        if self.device.type == "cuda" and state.get("cuda_rng"):
            torch.cuda.set_rng_state(state["cuda_rng"][self.ranks.rank], self.device)
        self.best.load_state_dict(state["best"])
        self._validated, self.step = int(state["validated"]), int(state["step"])
