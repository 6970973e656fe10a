# A small image: a build stage makes the environment, the run stage carries it without pip or compilers.
# scripts/check-image goes through these steps without a container engine.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY requirements.lock requirements-build.lock ./
RUN python -m venv /opt/samverka \
    && /opt/samverka/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.lock \
    && python -m venv /opt/build \
    && /opt/build/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements-build.lock
COPY pyproject.toml README.md LICENSE ./
COPY gateway gateway
COPY mappings mappings
COPY conformance conformance
COPY demo demo
RUN /opt/build/bin/python -m hatchling build -t wheel -d /opt/build/wheel \
    && /opt/samverka/bin/pip install --no-index --no-deps --disable-pip-version-check /opt/build/wheel/*.whl \
    && /opt/samverka/bin/pip uninstall --yes --quiet pip setuptools

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="Samverka" \
      org.opencontainers.image.description="FHIR R4 interoperability gateway: one shared answer to who does what" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --system --user-group --uid 10001 --home-dir /var/lib/samverka --create-home samverka
COPY --from=build /opt/samverka /opt/samverka
# Inside a container the address must be reachable from its network; publish it on the host's 127.0.0.1 alone.
# It is refused without issuers, or SAMVERKA_DEMO_NETWORK for a trial: docs/guides/install.md
ENV PATH=/opt/samverka/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    SAMVERKA_HOST=0.0.0.0 \
    SAMVERKA_PORT=8000 \
    SAMVERKA_DATABASE_URL=sqlite:////var/lib/samverka/samverka.db
USER 10001
WORKDIR /var/lib/samverka
VOLUME /var/lib/samverka
EXPOSE 8000
# What `samverka health` asks, without loading the gateway every time.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD python -I -c "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"SAMVERKA_PORT\"]}/ready', timeout=2)"
CMD ["samverka", "serve"]
