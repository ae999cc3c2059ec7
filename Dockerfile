# `voiceconv serve` on a CPU; docs/serving.md has the commands.
FROM python:3.11-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN apt-get update && apt-get install --no-install-recommends --yes g++
RUN python -m venv /opt/voiceconv
ENV PATH=/opt/voiceconv/bin:$PATH
WORKDIR /src
# The locked packages come first: they change seldom.
COPY requirements.lock ./
RUN pip install --no-deps --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY voiceconv ./voiceconv
RUN pip install --no-deps .

FROM python:3.11-slim
COPY --from=build /opt/voiceconv /opt/voiceconv
RUN useradd --system --no-create-home --home-dir /nonexistent voiceconv \
    && install --directory --owner voiceconv /var/lib/voiceconv
ENV PATH=/opt/voiceconv/bin:$PATH PYTHONUNBUFFERED=1 XDG_STATE_HOME=/var/lib
USER voiceconv
VOLUME /var/lib/voiceconv
EXPOSE 8000
CMD ["voiceconv", "serve", "--host", "0.0.0.0"]
