from agents.offline.records.build import build
