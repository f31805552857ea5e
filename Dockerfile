# One image for every role: web as it is, the others with their command behind it.
FROM python:3.11-slim

RUN useradd --create-home --uid 10001 bridge
# Nothing below runs as root, neither while the image is made nor in it.
USER bridge
WORKDIR /home/bridge/app
ENV PATH=/home/bridge/venv/bin:$PATH PYTHONUNBUFFERED=1

# Before the code, so that a change of the code does not install everything again.
COPY --chown=bridge:bridge requirements.txt ./
RUN python -m venv /home/bridge/venv
RUN python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt
COPY --chown=bridge:bridge adapters ./adapters
COPY --chown=bridge:bridge bridge ./bridge
RUN python -m compileall -q adapters bridge

EXPOSE 8000
STOPSIGNAL SIGTERM
# Of the role web; the others listen nowhere and are run with --no-healthcheck.
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s CMD ["python", "-c", "import os, urllib.request as web; web.urlopen('http://127.0.0.1:' + os.environ.get('PORT', '8000') + '/healthz', timeout=4)"]
CMD ["python", "-m", "bridge", "web"]
