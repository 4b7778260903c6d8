"""The medical-insurance office: views of its settlement database under the national bureau's names. It settles
what residents' visits to the three HL7 v2 houses cost, and what they buy at pharmacies.

A settlement is now and then paid back the day after and made anew: the first is marked, a row of negative
sums names it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from healthhub.city.catalogue import DRUGS
from healthhub.city.channels import View, Views
from healthhub.city.charts import Chart, first_chart, righted
from healthhub.city.dice import Dice
from healthhub.city.items import CENT, Line, lines_of, medicine
from healthhub.city.moments import DAY, MINUTE, Moment, digits14
from healthhub.city.parties import INSTITUTIONS, spelt
from healthhub.city.places import CITY
from healthhub.city.rates import BY_HAND
from healthhub.city.sent import Sent
from healthhub.city.system import About, Person, System
from healthhub.city.visits import Visit

_COLUMNS = {
    "PSN_INFO_B": "psn_no psn_name gend brdy psn_cert_type certno naty tel updt_time vali_flag",
    "PSN_INSU_D": "psn_no insutype psn_insu_stas psn_type begndate enddate insu_admdvs clr_optins clr_optins_name "
    "updt_time vali_flag",
    "SETL_D": "setl_id mdtrt_id init_setl_id init_setl_time psn_no psn_name gend brdy psn_cert_type certno insutype "
    "insu_admdvs med_type fixmedins_code fixmedins_name medins_setl_id ipt_otp_no begndate enddate setl_time "
    "medfee_sumamt fulamt_ownpay_amt preselfpay_amt inscp_scp_amt act_pay_dedc hifp_pay fund_pay_sumamt "
    "psn_part_amt acct_pay psn_cash_pay clr_optins clr_optins_name invono refd_setl_flag updt_time vali_flag",
    "FEE_LIST_D": "setl_id feedetl_sn fee_ocur_time med_list_codg med_list_name medins_list_codg medins_list_name "
    "med_chrgitm_type chrgitm_lv cnt unt pric det_item_fee_sumamt selfpay_prop fulamt_ownpay_amt preselfpay_amt "
    "inscp_scp_amt updt_time vali_flag",
    "SETL_DIAG_LIST_D": "setl_id diag_srt_no diag_code diag_name maindiag_flag updt_time vali_flag",
}
_KEYS = {
    "PSN_INFO_B": "psn_no",
    "PSN_INSU_D": "psn_no insutype",
    "SETL_D": "setl_id",
    "FEE_LIST_D": "setl_id feedetl_sn",
    "SETL_DIAG_LIST_D": "setl_id diag_srt_no",
}
VIEWS = {
    name: View(tuple(columns.split()), tuple(_KEYS[name].split()), "updt_time")
    for name, columns in _COLUMNS.items()
}
_OFFICE = {"clr_optins": "429004", "clr_optins_name": f"{CITY}医疗保障服务中心"}
_PHARMACY = ("P42900400118", f"{CITY}安心大药房建设路店")
_PAID_BACK = 0.02
_CARE = {"O": "11", "E": "13", "I": "21", "T": "91"}


class InsuranceSettlement(System):
    """The city's office."""

    about = About(
        source="insurance-settlement",
        house="y",
        title="市医保局 结算库视图",
        adapter="tabular",
        mapping="insurance-settlement",
        institution="insurance",
        institution_title=f"{CITY}医疗保障局",
        kind="public",
    )
    channel = Views(VIEWS, "utf-8")

    def history(self, person: Person) -> Iterator[Sent]:
        """Who is insured by what, and a settlement for each visit that cost something."""
        chart = self._chart(person)
        told = False
        for visit in person.elsewhere:
            lines = list(lines_of(visit))
            if not lines or visit.end + 2 * DAY > person.until:
                continue
            if not told:
                yield from self._insured(person, chart, person.begin)
                told = True
            number = f"429004S{digits14(visit.end)}{person.resident.ordinal % 10**6:06d}"
            diagnoses = [(d.code, d.name) for d in visit.diagnoses]
            yield from self._settled(person, chart, visit, number, lines, diagnoses)

    def live(self, person: Person, end: Moment, count: int) -> Iterator[Sent]:
        """Medicine bought at a pharmacy."""
        chart = self._chart(person)
        drug = DRUGS[person.dice.pick(("amlodipine", "metformin", "paracetamol", "loratadine"))]
        at = end - 2 * MINUTE
        yield from self._insured(person, chart, at)
        number = f"429004S{digits14(end)}{person.resident.ordinal % 10**6:06d}"
        head = {
            "med_type": "41",
            "fixmedins_code": _PHARMACY[0],
            "fixmedins_name": _PHARMACY[1],
            "ipt_otp_no": "",
            "medins_setl_id": f"YD{number[7:]}",
            "begndate": spelt(at),
            "enddate": spelt(at),
        }
        yield from self._rows(person, chart, number, [medicine(drug, at)], [], head, at)

    def _chart(self, person: Person) -> Chart:
        """The office knows everybody by the identity card."""
        dice = Dice(person.seed, self.source, "chart", person.resident.ordinal)
        made = first_chart(dice, person.resident, person.family, self.house, person.until)
        return righted(made)

    def _insured(self, person: Person, chart: Chart, at: Moment) -> Iterator[Sent]:
        resident = person.resident
        person.known_as(self.house, chart.number)
        base = self._person(chart)
        whole = base | {"naty": resident.group, "tel": chart.phone}
        yield self._row("PSN_INFO_B", at, whole, person)
        insured = {
            "psn_no": chart.number,
            "insutype": self._insurance(person),
            "psn_insu_stas": "1",
            "psn_type": "12" if at - person.life.born > 60 * 366 * DAY else "11",
            "begndate": "2012-01-01",
            "insu_admdvs": "429004",
            **_OFFICE,
        }
        yield self._row("PSN_INSU_D", at, insured, person)

    @staticmethod
    def _person(chart: Chart) -> dict[str, object]:
        return {
            "psn_no": chart.number,
            "psn_name": chart.name,
            "gend": "1" if chart.resident.sex == "M" else "2",
            "brdy": f"{chart.resident.birth:%Y-%m-%d}",
            "psn_cert_type": "01",
            "certno": chart.written_id,
        }

    @staticmethod
    def _insurance(person: Person) -> str:
        worker = Dice(person.seed, "insured", person.resident.ordinal).chance(0.45)
        return "310" if worker and person.resident.role != "child" else "390"

    def _settled(
        self, person: Person, chart: Chart, visit: Visit, number: str, lines: Sequence[Line],
        diagnoses: Sequence[tuple[str, str]],
    ) -> Iterator[Sent]:  # fmt: skip
        code, title = INSTITUTIONS[visit.house]
        at = visit.end + 12 * MINUTE
        head: dict[str, object] = {
            "med_type": _CARE[visit.kind],
            "fixmedins_code": code,
            "fixmedins_name": title,
            "ipt_otp_no": f"{visit.house.upper()}{visit.count:03d}",
            "medins_setl_id": f"{code}{digits14(at)}",
            "begndate": spelt(visit.start),
            "enddate": spelt(visit.end),
            "mdtrt_id": f"MD{number[-12:]}",
        }
        throw = 1.0 if person.named else person.dice.random()
        if throw < _PAID_BACK:
            person.tally[f"paid-back.{self.house}"] += 1
            back = at + 20 * 60 * MINUTE
            yield from self._rows(person, chart, number, lines, diagnoses, head, at)
            first = head | {"refd_setl_flag": "1"}
            yield self._settlement(person, chart, number, lines, first, at, changed=back)
            undone = head | {
                "init_setl_id": number,
                "init_setl_time": spelt(at),
                "refd_setl_flag": "1",
            }
            yield from self._rows(
                person, chart, f"{number}T", lines, diagnoses, undone, back, -1
            )
            number, at = f"{number}Z", back + 10 * MINUTE
        planted, detail = "", ""
        if _PAID_BACK < throw < _PAID_BACK + BY_HAND.unknown_code:
            head["med_type"], planted, detail = "77", "unknown-code", "SET-med_type"
        yield from self._rows(
            person, chart, number, lines, diagnoses, head, at, 1, planted, detail
        )

    def _rows(
        self, person: Person, chart: Chart, number: str, lines: Sequence[Line],
        diagnoses: Sequence[tuple[str, str]], head: Mapping[str, object], at: Moment, sign: int = 1,
        planted: str = "", detail: str = "",
    ) -> Iterator[Sent]:  # fmt: skip
        """A settlement with its items and diagnoses."""
        person.tally[f"settlements.{self.house}"] += 1
        yield self._settlement(
            person, chart, number, lines, head, at, sign=sign, planted=planted, detail=detail
        )
        for n, line in enumerate(lines, 1):
            person.tally[f"items.{self.house}"] += 1
            cells = {
                "setl_id": number,
                "feedetl_sn": str(n),
                "fee_ocur_time": spelt(line.at),
                "med_list_codg": line.code,
                "med_list_name": line.name,
                "medins_list_codg": line.own,
                "medins_list_name": line.name if line.own else "",
                "med_chrgitm_type": line.kind,
                "chrgitm_lv": line.level,
                "cnt": str(line.count * sign),
                "unt": line.unit,
                "pric": str(line.price),
                "det_item_fee_sumamt": str(line.amount * sign),
                "selfpay_prop": {"01": "0", "02": "0.1", "03": "1"}[line.level],
                "fulamt_ownpay_amt": str(line.own_pay * sign),
                "preselfpay_amt": str(line.first * sign),
                "inscp_scp_amt": str((line.amount - line.own_pay - line.first) * sign),
            }
            yield self._row("FEE_LIST_D", at, cells, person)
        for n, (code, name) in enumerate(diagnoses, 1):
            cells = {
                "setl_id": number,
                "diag_srt_no": str(n),
                "diag_code": code,
                "diag_name": name,
                "maindiag_flag": "1" if n == 1 else "0",
            }
            yield self._row("SETL_DIAG_LIST_D", at, cells, person)

    def _settlement(
        self, person: Person, chart: Chart, number: str, lines: Sequence[Line],
        head: Mapping[str, object], at: Moment, *, sign: int = 1, changed: Moment = 0, planted: str = "",
        detail: str = "",
    ) -> Sent:  # fmt: skip
        nothing = Decimal("0.00")
        whole = sum((line.amount for line in lines), nothing)
        own = sum((line.own_pay for line in lines), nothing)
        first = sum((line.first for line in lines), nothing)
        covered = whole - own - first
        stay, bought = head["med_type"] == "21", head["med_type"] == "41"
        floor = min(covered, Decimal("400.00")) if stay else nothing
        share = Decimal("0.75") if stay else nothing if bought else Decimal("0.5")
        fund = ((covered - floor) * share).quantize(CENT)
        account = min(whole - fund, Decimal("60.00"))
        sums = {
            "medfee_sumamt": whole,
            "fulamt_ownpay_amt": own,
            "preselfpay_amt": first,
            "inscp_scp_amt": covered,
            "act_pay_dedc": floor,
            "hifp_pay": fund,
            "fund_pay_sumamt": fund,
            "psn_part_amt": whole - fund,
            "acct_pay": account,
            "psn_cash_pay": whole - fund - account,
        }
        cells: dict[str, object] = {
            "setl_id": number,
            **self._person(chart),
            "insutype": self._insurance(person),
            "insu_admdvs": "429004",
            "setl_time": spelt(at),
            "invono": number[-10:],
            "refd_setl_flag": "0",
            **_OFFICE,
            **head,
            **{name: str(value * sign) for name, value in sums.items()},
        }
        return self._row("SETL_D", changed or at, cells, person, planted, detail)

    def _row(
        self, view: str, at: Moment, cells: Mapping[str, object], person: Person, planted: str = "",
        detail: str = "",
    ) -> Sent:  # fmt: skip
        whole = {"vali_flag": "1"} | dict(cells) | {"updt_time": spelt(at)}
        key = "|".join(str(whole[name]) for name in VIEWS[view].key)
        return self.row(view, at, whole, key, person, planted, detail)
