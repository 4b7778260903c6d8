"""Compiles the rules of a block or data type into code that builds one object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from healthhub.errors import MappingError
from healthhub.mapping.definition import Rule
from healthhub.mapping.elements import Element, choices, stem
from healthhub.mapping.expressions import Call, Choice
from healthhub.mapping.kept import Cells
from healthhub.mapping.place import wrong
from healthhub.mapping.values import Values

if TYPE_CHECKING:
    from healthhub.mapping.generator import Generator


class Objects:
    """Writes code that fills objects element by element."""

    def __init__(self, generator: Generator, values: Values) -> None:
        self.generator = generator
        self.values = values
        self.body = values.body
        self.flags: list[str] = []
        self.erases = False
        self._gathered: dict[tuple[str, tuple[int, ...]], str] = {}

    def make(self, element: Element, target: str) -> None:
        """Fill a new resource; what was made of the same texts before is given again."""
        for children in self._steps(element):
            texts = None if self.generator.traced else self.generator.steady.cells(children)
            if texts is None:
                self._step(children, target, keep=False)
            else:
                self._kept(children, target, texts)

    def fill(self, element: Element, target: str, *, keep: bool = False) -> None:
        """Fill ``target`` with an element's children; with ``keep``, leave what is there."""
        for children in self._steps(element):
            self._step(children, target, keep)

    @staticmethod
    def _steps(element: Element) -> list[list[Element]]:
        """The children in order; the types of a choice are one step."""
        groups = choices(element)
        steps: list[list[Element]] = []
        done: set[str] = set()
        for child in element.children.values():
            group = "" if child.array else stem(child.name)
            if group not in groups:
                steps.append([child])
            elif group not in done:
                done.add(group)
                steps.append(groups[group])
        return steps

    def _step(self, children: list[Element], target: str, keep: bool) -> None:
        if len(children) > 1:
            self._choice(children, target, keep)
        else:
            self._child(children[0], target, keep)

    def _kept(self, children: list[Element], target: str, texts: Cells) -> None:
        """A step whose outcome follows from some texts alone (healthhub.mapping.kept)."""
        body = self.body
        shelf, made = self.generator.shelf(), body.new()
        key = self._key(texts)
        body.line(f"{made} = K[{shelf}].get({key}, run)")
        names = [child.name for child in children]
        with body.deeper(f"if {made} is run:"):
            told = body.new("n")
            body.line(f"{told} = run.told")
            self._step(children, target, keep=False)
            with body.deeper(f"if run.told == {told}:"):
                if len(names) == 1:
                    said = f"{target}.get({names[0]!r})"
                else:
                    said = f"{{n: {target}[n] for n in {names!r} if n in {target}}}"
                body.line(f"run.kept.keep({shelf}, {key}, {said})")
        with body.deeper(f"elif {made}:" if len(names) > 1 else f"elif {made} is not None:"):
            if len(names) == 1:
                body.line(f"{target}[{names[0]!r}] = {made}")
            else:
                body.line(f"{target}.update({made})")

    def _key(self, texts: Cells) -> str:
        """The texts as a Python expression; those of one set of fields are gathered once."""
        parts: list[str] = []
        for segment, numbers in texts:
            if not segment:
                parts.append("v")
                continue
            variable = self._gathered.get((segment, numbers))
            if variable is None:
                variable = self._gathered[segment, numbers] = self.body.new("k")
                found = self.body.segment(segment)
                self.body.line(f"{variable} = cells({found}, {numbers!r})")
            parts.append(variable)
        return parts[0] if len(parts) == 1 else f"({', '.join(parts)})"

    def _child(self, child: Element, target: str, keep: bool) -> None:
        if child.array:
            self._array(child, target, keep)
        elif child.children:
            variable = self._object(child)
            self._put(child, target, variable, f"{variable} is not None", keep)
        else:
            self._leaf(child, child.rules, target, keep)

    def _put(self, child: Element, target: str, variable: str, test: str, keep: bool) -> None:
        if keep:
            test += f" and {child.name!r} not in {target}"
        self.body.line(f"if {test}:")
        with self.body.deeper():
            self.body.line(f"{target}[{child.name!r}] = {variable}")

    def _leaf(self, child: Element, rules: list[Rule], target: str, keep: bool) -> None:
        """First value of the rules for a plain element."""
        rules = self._erasures(child, rules)
        if not rules:
            return
        variable = self._first(rules, child.name)
        self._put(child, target, variable, f"{variable} is not None", keep)

    def _first(self, rules: list[Rule], name: str) -> str:
        """The first value that one of several rules gives, in a variable; flags raised."""
        body = self.body
        result = body.new()
        body.line(f"{result} = None")
        for index, rule in enumerate(rules):
            with body.deeper(f"if {result} is None:" if index else "if True:"):
                self._rule(rule, result, name)
        return result

    def _rule(self, rule: Rule, result: str, name: str) -> None:
        body = self.body
        before = body.need
        body.need = self.generator.need(rule, body.shape)
        if self.generator.traced:
            body.mark = body.new("m")
            body.line(f"{body.mark} = run.mark()")
        mark = body.mark
        try:
            if rule.value is not None:
                body.line(f"{result} = {self.values.one(rule.value)}")
        except MappingError as error:
            raise self._located(error, rule) from None
        raised = self._raised(rule)
        if raised or self.generator.traced:
            with body.deeper(f"if {result} is not None:"):
                if raised:
                    body.line(raised)
                if self.generator.traced:
                    need = self.generator.rule_need(rule)
                    body.line(f"run.said({mark}, {name!r}, {result}, {need})")
        body.need = before

    def _located(self, error: MappingError, rule: Rule) -> MappingError:
        return error if error.expression else wrong(rule.where, error.message, rule.text)

    def _raised(self, rule: Rule) -> str:
        """The line that tells the objects around that a rule has read something."""
        if not self.flags or not self.generator.reading.reads(
            rule.value, self.body.shape.parameters
        ):
            return ""
        return " = ".join([*self.flags, "True"])

    def _erasures(self, child: Element, rules: list[Rule]) -> list[Rule]:
        """Write the rules that erase; give back the others."""
        others: list[Rule] = []
        for rule in rules:
            value, condition = rule.value, None
            if isinstance(value, Choice) and len(value.options) == 1:
                value, condition = value.options[0]
            if value != Call("erase"):
                others.append(rule)
                continue
            steps = rule.target.steps
            if len(steps) > 2 or any(step.label for step in steps):
                raise wrong(rule.where, "only element or element.part can be erased", rule.text)
            self.erases = True
            try:
                test = self.values.condition(condition) if condition else "True"
            except MappingError as error:
                raise self._located(error, rule) from None
            with self.body.deeper(f"if {test}:"):
                self.body.line(f"er.append({'.'.join(step.name for step in steps)!r})")
        return others

    def _object(self, child: Element) -> str:
        """An object with parts; None in the variable if nothing came of it."""
        body = self.body
        traced = self.generator.traced
        result = body.new("o")
        mark = body.new("m") if traced else ""
        if traced:
            body.line(f"{mark} = run.mark()")
        start = f"{{'url': {child.url!r}}}" if child.url else "{}"
        direct = self._erasures(child, child.rules)
        given = "None"
        if direct:
            given = self._first(direct, "")
            body.line(f"{result} = dict({given}) if {given} is not None else {start}")
        else:
            body.line(f"{result} = {start}")
        reads = self.generator.reading.within(child, body.shape.parameters)
        flag = body.new("d") if reads else ""
        if flag:
            body.line(f"{flag} = {f'{given} is not None' if direct else 'False'}")
            self.flags.append(flag)
        self.fill(child, result, keep=bool(direct))
        if flag:
            self.flags.remove(flag)
        kept = flag or (f"len({result}) > 1" if child.url else result)
        with body.deeper(f"if not ({kept}):"):
            body.line(f"{result} = None")
            if traced:
                body.line(f"run.drop({mark})")
        if traced:
            with body.deeper("else:"):
                if child.name and not child.url:
                    body.line(f"run.wrap({mark}, {child.name!r})")
        return result

    def _array(self, child: Element, target: str, keep: bool) -> None:
        body = self.body
        array = body.new("a")
        body.line(f"{array} = []")
        for part in child.parts:
            if isinstance(part, Rule):
                self._append(part, child, array)
            else:
                self._entry(part, child, array)
        if keep:
            with body.deeper(f"if {array}:"):
                body.line(
                    f"{target}[{child.name!r}] = [*{target}.get({child.name!r}, ()), *{array}]"
                )
        else:
            self._put(child, target, array, array, keep=False)

    def _append(self, rule: Rule, child: Element, array: str) -> None:
        if not self._erasures(child, [rule]) or rule.value is None:
            return
        body = self.body
        before = body.need
        body.need = self.generator.need(rule, body.shape)
        traced = self.generator.traced
        if traced:
            body.mark = body.new("m")
            body.line(f"{body.mark} = run.mark()")
        mark = body.mark
        raised = self._raised(rule)

        def add(x: str) -> None:
            with body.deeper(f"if {x} not in {array}:"):
                body.line(f"{array}.append({x})")
                if raised:
                    body.line(raised)
                if traced:
                    need = self.generator.rule_need(rule)
                    place = f"'{child.name}[%d]' % (len({array}) - 1)"
                    body.line(f"run.said({mark}, {place}, {x}, {need})")
            if traced:
                with body.deeper("else:"):
                    body.line(f"run.drop({mark})")

        try:
            self.values.each(rule.value, add)
        except MappingError as error:
            raise self._located(error, rule) from None
        body.need = before

    def _entry(self, entry: Element, child: Element, array: str) -> None:
        body = self.body
        traced = self.generator.traced
        mark = body.new("m") if traced else ""
        if traced:
            body.line(f"{mark} = run.mark()")
        if entry.children or entry.url:
            whole = Element("", entry.url, entry.rules, entry.children)
            variable = self._object(whole)
        else:
            variable = self._first(entry.rules, "")
        with body.deeper(f"if {variable} is not None and {variable} not in {array}:"):
            body.line(f"{array}.append({variable})")
            if traced:
                body.line(f"run.wrap({mark}, '{child.name}[%d]' % (len({array}) - 1))")

    def _choice(self, group: list[Element], target: str, keep: bool) -> None:
        """Of a choice, the first rule in the order of the file that gives a value."""
        body = self.body
        said = body.new("c")
        names = [child.name for child in group]
        body.line(f"{said} = {f'any(n in {target} for n in {names!r})' if keep else 'False'}")
        for child, rule in self._in_order(group):
            with body.deeper(f"if not {said}:"):
                if rule is not None:
                    left = self._erasures(child, [rule])
                    if left:
                        variable = self._first(left, child.name)
                        with body.deeper(f"if {variable} is not None:"):
                            body.line(f"{target}[{child.name!r}] = {variable}")
                            body.line(f"{said} = True")
                else:
                    self._child(child, target, keep=False)
                    body.line(f"{said} = {child.name!r} in {target}")

    def _in_order(self, group: list[Element]) -> list[tuple[Element, Rule | None]]:
        steps: list[tuple[int, int, Element, Rule | None]] = []
        for child in group:
            if child.children or child.array:
                steps.append((child.order, 0, child, None))
            else:
                steps += [
                    (self.generator.order_of(rule), 1, child, rule) for rule in child.rules
                ]
        steps.sort(key=lambda step: step[:2])
        return [(child, rule) for _, _, child, rule in steps]
