from legacy.celery import app

ORDERS = {
    1001: "shipped",
    1002: "packed",
    1003: "paid",
}


class OrderError(Exception):
    def __init__(self, code, text):
        Exception.__init__(self, code, text)
        self.code = code
        self.text = text


@app.task
def ping():
    return "pong"


@app.task
def concat(*parts):
    return "".join([str(p) for p in parts])


@app.task
def convert(amount, rate=2, /, digits=2):
    return round(amount * rate, digits)


@app.task
def status(order, default=None):
    return ORDERS.get(order, default)


@app.task
def cancel(order):
    if order not in ORDERS:
        raise OrderError(404, "no order " + str(order))
    if ORDERS[order] == "shipped":
        raise OrderError(409, "order " + str(order) + " is on its way")
    return True


@app.task
def report(title, *args, **kwargs):
    """Build the nightly report (see wiki).

    kwargs: sort, header
    """
    rows = list(args)
    if kwargs.get("sort"):
        rows.sort()
    if "header" in kwargs:
        rows.insert(0, kwargs["header"])
    return {"title": title, "rows": rows, "count": len(args)}


@app.task(bind=True)
def whoami(self):
    return {"task": self.name, "retries": self.request.retries}
