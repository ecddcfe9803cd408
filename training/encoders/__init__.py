"""Encoders: the systems of the older studies, one small model (or two) per task, scored like everything else.

    family    parts      head of transformers               what a row is
    ner, arg  tagger     AutoModelForTokenClassification    a window of a text
    re        tagger     AutoModelForTokenClassification    a window of a text
              pairs      AutoModelForSequenceClassification two mentions, marked in their text
    crf       options    AutoModelForSequenceClassification an item with options, and a note
              values     AutoModelForQuestionAnswering      an item without options, and a window of a note
    qa        choice     AutoModelForSequenceClassification a question with each of its options

Every part is a folder that `from_pretrained` reads. What each does with long texts, overlapping mentions and values
that do not stand in the text is said in its module and in docs/training.md.
"""
