"""Every rule of the tariff, at its edges."""

from support import PriceTest


class TariffTest(PriceTest):
    def test_fr_1_up_to_2_kg(self):
        self.assertEqual(self.price("2", "10"), "12.90")

    def test_fr_2_up_to_5_kg(self):
        self.assertEqual([self.price("2.01"), self.price("5")], ["6.90", "6.90"])

    def test_fr_3_up_to_10_kg(self):
        self.assertEqual([self.price("5.01"), self.price("10")], ["9.40", "9.40"])

    def test_fr_4_up_to_25_kg(self):
        self.assertEqual([self.price("10.01"), self.price("25")], ["14.80", "14.80"])

    def test_fr_5_heavier_than_25_kg_is_refused(self):
        shown = self.refused("price", "--weight", "25.01", "--distance", "1", "--member")
        self.assertIn("heavier than 25 kg", shown)

    def test_fr_6_each_km_costs_80_cents(self):
        self.assertEqual([self.price("5", "1"), self.price("5", "2.5")], ["7.70", "8.90"])

    def test_fr_7_longer_than_120_cm_costs_extra(self):
        prices = [self.price("5", "0", "--length", cm) for cm in ("120", "121")]
        self.assertEqual(prices, ["6.90", "13.40"])

    def test_fr_8_express_costs_extra(self):
        self.assertEqual(self.price("5", "0", "--express"), "14.90")

    def test_fr_9_fragile_costs_extra(self):
        self.assertEqual(self.price("5", "0", "--fragile"), "9.40")

    def test_fr_10_a_value_above_500_costs_extra(self):
        prices = [self.price("5", "0", "--value", eur) for eur in ("500", "500.01")]
        self.assertEqual(prices, ["6.90", "10.10"])

    def test_fr_11_members_pay_10_percent_less_of_everything(self):
        self.assertEqual(self.price("10", "2", "--express", "--member"), "17.10")

    def test_fr_12_from_20_parcels_a_month_5_percent_less(self):
        prices = [self.price("10", "2", "--parcels-a-month", n) for n in ("19", "20")]
        self.assertEqual(prices, ["11.00", "10.45"])

    def test_fr_13_never_less_than_6_eur(self):
        self.assertEqual([self.price("1"), self.price("5", "0", "--member")], ["6.00", "6.21"])
