"""`heed evaluate`: the recommenders side by side on what has landed, without publishing anything."""

from __future__ import annotations

import functools

import click

from cli.learning.populations import POPULATIONS
from cli.options import home_command
from cli.output import Output
from feedback.errors import NotEnoughFeedback
from feedback.settings.home import Settings


@click.command()
@home_command
def evaluate(settings: Settings, output: Output) -> None:
    """Compare popularity, decayed popularity, unsigned and signed ALS and others by full ranking on two splits."""
    from dagster_project.lib.catalogue import build_catalogue
    from dagster_project.lib.learned import catalogue_events, interactions_of
    from lakehouse.lake import open_lake
    from lakehouse.tables.feedback import FEEDBACK
    from models.evaluation.comparison import evaluate as evaluate_models
    from models.interaction_matrix import ItemIndex
    from models.recommenders.training_data import TrainingData
    from models.spark import spark_session

    feedback = open_lake(settings).scan(FEEDBACK)
    interactions = interactions_of(feedback).rows
    if interactions.is_empty():
        raise NotEnoughFeedback(
            "nothing that says anything about an item has landed yet; `heed ingest`, then `heed land --drain`"
        )
    with output.progress("comparing recommenders") as bar:
        session = functools.partial(spark_session, settings.spark, settings.paths.run_folder)
        items, catalogue = ItemIndex.of(interactions), build_catalogue(catalogue_events(feedback)).rows
        data = TrainingData.of(interactions, items, catalogue=catalogue, seed=settings.learning.seed, session=session)
        found = evaluate_models(data, progress=bar.label)
    for card in found.scorecards:
        figures = card.metrics.figures()
        known = {} if card.known is None else {"users": card.known.users, **card.known.figures()}
        record = {"recommender": card.recommender, "split": card.split, "parameters": card.parameters}
        record["populations"] = {
            population.value: {"lists": len(judged.ndcg), **judged.metrics.figures()}
            for population, judged in card.populations.items()
        }
        output.emit({**record, **figures, "users": card.metrics.users, "known": known})
    for split in dict.fromkeys(card.split for card in found.scorecards):
        cards = [card for card in found.scorecards if card.split == split]
        names = list(cards[0].metrics.figures())
        output.heading(f"{split} split, top {cards[0].metrics.k}, {cards[0].metrics.users:,} people")
        rows = [(card.recommender, *card.metrics.figures().values()) for card in cards]
        output.table("", ("recommender", *names), rows, numbers=len(names))
        for population, words in POPULATIONS.items():
            judged = [(c.recommender, f) for c in cards for p, f in c.populations.items() if p == population]
            if judged and len(judged[0][1].ndcg) != cards[0].metrics.users:
                output.say(words.format(lists=len(judged[0][1].ndcg)))
                rows = [(name, *found.metrics.figures().values()) for name, found in judged]
                output.table("", ("recommender", *names), rows, numbers=len(names))
    for split, why in found.missing.items():
        output.say(f"not judged on the {split} split: {why}")
